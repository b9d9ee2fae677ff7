variable "kubeconfig" {
  description = "Names the cluster"
  type        = string
  default     = "~/.kube/config"
}

variable "context" {
  description = "Of the kubeconfig; its current one when null"
  type        = string
  default     = null
}

variable "namespace" {
  description = "Made here, with Pod Security \"restricted\""
  type        = string
  default     = "bidmesh"
}

variable "ingress_controller" {
  description = "Whether to install F5's NGINX Ingress Controller, behind a load balancer that the cluster must be able to make"
  type        = bool
  default     = true
}

variable "cloudnative_pg" {
  description = "Whether to install CloudNativePG and have Postgres by it, instead of one pod"
  type        = bool
  default     = false
}

variable "rabbitmq_operator" {
  description = "RabbitMQ by its cluster operator instead of one pod: path of the operator's cluster-operator.yml (github.com/rabbitmq/cluster-operator/releases). From 2.22 on it needs cert-manager in the cluster, before the first plan"
  type        = string
  default     = null
}

variable "infra" {
  description = "Whether databases, broker and cache come from helm/infra; otherwise the Secret that existingSecret names must be there"
  type        = bool
  default     = true
}

variable "infra_values" {
  description = "Values files of helm/infra, the last one wins"
  type        = list(string)
  default     = []
}

variable "chart" {
  description = "The chart: a folder, or oci://ghcr.io/your-organisation/charts/bidmesh"
  type        = string
  default     = "../../helm/bidmesh"
}

variable "chart_version" {
  description = "Of a chart that is not a folder"
  type        = string
  default     = null
}

variable "values" {
  description = "Values files of the chart, the last one wins, such as ../../helm/values-production.yaml (which needs the definitions of Prometheus' operator for its ServiceMonitor)"
  type        = list(string)
}
