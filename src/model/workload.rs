//! What a process runs in, as its control groups show it: a unit of systemd, a container, a pod.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;

/// What a process runs in. Names are escaped: any maker of a control group may choose them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// The innermost service or scope of systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The innermost container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// The pod of that container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
}

/// A container. At least one of its fields is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its id of 64 hexadecimal digits; `None` for runtimes that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What its runtime calls it; `None` where that was not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A pod, of Kubernetes or podman.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its uid, or its id of 64 hexadecimal digits.
    pub uid: String,
    /// `None` where it was not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its namespace in Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// So many digits of an id stand for it where there is no name.
const SHORT_ID: usize = 12;

impl Container {
    /// Its name, or the beginning of its id.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| short(self.id.as_deref().unwrap_or_default()))
    }
}

impl Pod {
    /// Its name, else its uid, or the beginning of its id.
    pub fn label(&self) -> &str {
        let is_id = self.uid.len() == 64;
        let uid = if is_id { short(&self.uid) } else { &self.uid };
        self.name.as_deref().unwrap_or(uid)
    }
}

impl Pod {
    /// `NAMESPACE/NAME`, or the name alone where the namespace is not known.
    pub fn full_label(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.label()),
            None => self.label().to_owned(),
        }
    }
}

impl Workload {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The most specific of its parts, for a column: `NAMESPACE/POD`, a container, or a unit.
    pub fn label(&self) -> Option<String> {
        match self {
            Self { pod: Some(pod), .. } => Some(pod.full_label()),
            Self { container: Some(container), .. } => Some(container.label().to_owned()),
            Self { unit, .. } => unit.clone(),
        }
    }
}

fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}

/// What the main owner of a socket runs in, as keys of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MainWorkload(pub Option<Arc<Workload>>);

impl Serialize for MainWorkload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let workload = self.0.as_deref();
        let pod = workload.and_then(|workload| workload.pod.as_ref());
        let container = workload.and_then(|workload| workload.container.as_ref());
        let keys = WorkloadKeys {
            unit: workload.and_then(|workload| workload.unit.as_deref()),
            container: container.map(Container::label),
            pod: pod.map(Pod::label),
            k8s_namespace: pod.and_then(|pod| pod.namespace.as_deref()),
        };
        keys.serialize(serializer)
    }
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct WorkloadKeys<'a> {
    /// The innermost systemd service or scope in which the main owner runs; null for none, or if
    /// unknown.
    unit: Option<&'a str>,
    /// The container in which the main owner runs, by its name, or by the first 12 digits of its id
    /// where the name was not found.
    container: Option<&'a str>,
    /// The pod of that container, by its name, or by its uid where the name was not found.
    pod: Option<&'a str>,
    /// The Kubernetes namespace of that pod; null if unknown.
    k8s_namespace: Option<&'a str>,
}

/// How a recording writes what a process runs in: a module for `#[serde(with)]`. `null`, or no key,
/// where it was not read.
pub(crate) mod shared {
    use super::Workload;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    #[allow(clippy::ref_option)] // the signature that serde calls
    pub(crate) fn serialize<S: Serializer>(
        workload: &Option<Arc<Workload>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        workload.as_deref().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Arc<Workload>>, D::Error> {
        Ok(Option::<Workload>::deserialize(from)?.map(Arc::new))
    }
}
