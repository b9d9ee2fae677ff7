# Bidmesh on any cluster that a kubeconfig names: the ingress controller and the operators that are asked for, the
# databases by helm/infra or a Secret of one's own, and the chart. OpenTofu or Terraform.

terraform {
  required_version = ">= 1.10"
  required_providers {
    helm       = { source = "hashicorp/helm", version = "3.1.2" }
    kubernetes = { source = "hashicorp/kubernetes", version = "3.2.1" }
  }
}

locals {
  kubeconfig = pathexpand(var.kubeconfig)
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

resource "helm_release" "ingress" {
  count            = var.ingress_controller ? 1 : 0
  name             = "nginx-ingress"
  namespace        = "nginx-ingress"
  create_namespace = true
  repository       = "oci://ghcr.io/nginx/charts"
  chart            = "nginx-ingress"
  version          = "2.6.4"
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
}

# RabbitMQ publishes its operator as a file, not as a chart.
resource "kubernetes_manifest" "rabbitmq_operator" {
  for_each = var.rabbitmq_operator == null ? {} : {
    for object in provider::kubernetes::manifest_decode_multi(file(var.rabbitmq_operator)) :
    "${object.kind}/${object.metadata.name}" => object
  }
  manifest = each.value
}

resource "helm_release" "infra" {
  count     = var.infra ? 1 : 0
  name      = "bidmesh-infra"
  namespace = kubernetes_namespace_v1.bidmesh.metadata[0].name
  chart     = "${path.module}/../../helm/infra"
  timeout   = 900
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
  # A release that does not become ready within this is rolled back.
  atomic     = true
  timeout    = 900
  values     = [for name in var.values : file(name)]
  depends_on = [helm_release.infra, helm_release.ingress]
}

output "bidmesh" {
  description = "The release as it is now"
  value       = { revision = helm_release.bidmesh.metadata.revision, version = helm_release.bidmesh.metadata.version }
}
