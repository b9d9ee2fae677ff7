# What is planned for which variables; no cluster is asked. `tofu init && tofu test`
mock_provider "helm" {}
# Its function, which reads the operator's file, is the real one.
mock_provider "kubernetes" {}

variables {
  kubeconfig = "none"
  values     = ["../../helm/values-production.yaml"]
}

run "by_default" {
  command = plan
  assert {
    condition     = length(helm_release.ingress) == 1 && length(helm_release.infra) == 1
    error_message = "The ingress controller and infra are installed by default."
  }
  assert {
    condition     = length(helm_release.cloudnative_pg) == 0 && length(kubernetes_manifest.rabbitmq_operator) == 0
    error_message = "No operator is installed by default."
  }
  assert {
    condition     = strcontains(helm_release.infra[0].values[0], "\"by\": \"statefulset\"")
    error_message = "Without operators infra is made of pods."
  }
}

run "with_operators" {
  command = plan
  variables {
    cloudnative_pg    = true
    rabbitmq_operator = "tests/operator.yml"
  }
  assert {
    condition     = join(",", keys(kubernetes_manifest.rabbitmq_operator_namespace)) == "Namespace/rabbitmq-system"
    error_message = "The operator's namespace is a resource of its own, made first."
  }
  assert {
    condition     = join(",", keys(kubernetes_manifest.rabbitmq_operator)) == "Deployment/rabbitmq-cluster-operator,ServiceAccount/rabbitmq-cluster-operator"
    error_message = "Each other object of the operator's file is a resource."
  }
  assert {
    condition     = yamldecode(helm_release.infra[0].values[0]) == { postgres = { by = "cloudnative-pg" }, rabbitmq = { by = "cluster-operator" } }
    error_message = "Infra is made by the operators that are there."
  }
}

run "with_databases_elsewhere" {
  command = plan
  variables {
    infra              = false
    ingress_controller = false
  }
  assert {
    condition     = length(helm_release.infra) == 0 && length(helm_release.ingress) == 0
    error_message = "What is there already is not installed."
  }
}
