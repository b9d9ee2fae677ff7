# Bidmesh on any cluster that a kubeconfig names: the ingress controller and the operators that are asked for, the
# databases by helm/infra or a Secret of one's own, and the chart. OpenTofu or Terraform.

terraform {
  required_version = ">= 1.10"
  required_providers {
    # 3.1.2 cannot load a chart whose schema refers to another by URL, as the ingress controller's does.
    helm       = { source = "hashicorp/helm", version = "3.1.1" }
    kubernetes = { source = "hashicorp/kubernetes", version = "3.2.1" }
  }
}

locals {
  kubeconfig = pathexpand(var.kubeconfig)
  # By kind and name; RabbitMQ publishes its operator as a file, not as a chart.
  rabbitmq_operator = {
    for object in provider::kubernetes::manifest_decode_multi(var.rabbitmq_operator == null ? "" : file(var.rabbitmq_operator)) :
    "${object.kind}/${object.metadata.name}" => object
  }
}

provider "kubernetes" {
  config_path    = local.kubeconfig
  config_context = var.context
}

provider "helm" {
  kubernetes = {
    config_path    = local.kubeconfig
    config_context = var.context
  }
}

resource "kubernetes_namespace_v1" "bidmesh" {
  metadata {
    name   = var.namespace
    labels = { "pod-security.kubernetes.io/enforce" = "restricted" }
  }
}

# What did not become ready in time stays, so that it can be looked at; the next apply goes on with it (`upgrade_install`).
resource "helm_release" "ingress" {
  count            = var.ingress_controller ? 1 : 0
  name             = "nginx-ingress"
  namespace        = "nginx-ingress"
  create_namespace = true
  repository       = "oci://ghcr.io/nginx/charts"
  chart            = "nginx-ingress"
  version          = "2.6.4"
  upgrade_install  = true
  values           = [file("${path.module}/ingress.yaml")]
}

resource "helm_release" "cloudnative_pg" {
  count            = var.cloudnative_pg ? 1 : 0
  name             = "cloudnative-pg"
  namespace        = "cnpg-system"
  create_namespace = true
  repository       = "https://cloudnative-pg.github.io/charts"
  chart            = "cloudnative-pg"
  version          = "0.29.0"
  upgrade_install  = true
}

resource "kubernetes_manifest" "rabbitmq_operator_namespace" {
  for_each = { for key, object in local.rabbitmq_operator : key => object if object.kind == "Namespace" }
  manifest = each.value
}

resource "kubernetes_manifest" "rabbitmq_operator" {
  for_each = { for key, object in local.rabbitmq_operator : key => object if object.kind != "Namespace" }
  manifest = each.value
  dynamic "wait" {
    for_each = each.value.kind == "Deployment" ? [each.key] : []
    content { rollout = true }
  }
  depends_on = [kubernetes_manifest.rabbitmq_operator_namespace]
}

resource "helm_release" "infra" {
  count           = var.infra ? 1 : 0
  name            = "bidmesh-infra"
  namespace       = kubernetes_namespace_v1.bidmesh.metadata[0].name
  chart           = "${path.module}/../../helm/infra"
  timeout         = 900
  upgrade_install = true
  values = concat(
    [yamlencode({
      postgres = { by = var.cloudnative_pg ? "cloudnative-pg" : "statefulset" }
      rabbitmq = { by = var.rabbitmq_operator == null ? "statefulset" : "cluster-operator" }
    })],
    [for name in var.infra_values : file(name)],
  )
  depends_on = [helm_release.cloudnative_pg, kubernetes_manifest.rabbitmq_operator]
}

resource "helm_release" "bidmesh" {
  name      = "bidmesh"
  namespace = kubernetes_namespace_v1.bidmesh.metadata[0].name
  chart     = var.chart
  version   = var.chart_version
  # A release that does not become ready within this is rolled back; its migrations may take 1,800 s each.
  atomic     = true
  timeout    = 2000
  values     = [for name in var.values : file(name)]
  depends_on = [helm_release.infra, helm_release.ingress]
}

output "bidmesh" {
  description = "The release as it is now"
  value       = { revision = helm_release.bidmesh.metadata.revision, version = helm_release.bidmesh.metadata.version }
}
