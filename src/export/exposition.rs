//! Metrics as data, and as text in the two formats that scrapers read.

use super::histogram::Histogram;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Names with their values.
pub(crate) type LabelSet = Vec<(&'static str, String)>;

/// A metric: its name without a suffix, what it is, and its series.
#[derive(Debug)]
pub(crate) struct MetricFamily {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) series: Series,
}

/// The series of a metric by their labels.
#[derive(Debug)]
pub(crate) enum Series {
    Gauge(Vec<(LabelSet, f64)>),
    Counter(Vec<(LabelSet, u64)>),
    Histogram(Vec<(LabelSet, Histogram)>),
    /// What never changes: its labels are what it says.
    Info(LabelSet),
}

/// The format of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFormat {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, 0.0.4.
    Prometheus,
}

/// All metrics at one instant. The text is made when it is first asked for.
#[derive(Debug)]
pub(crate) struct Exposition {
    families: Families,
    open_metrics: OnceLock<Arc<[u8]>>,
    prometheus: OnceLock<Arc<[u8]>>,
}

#[derive(Debug, Clone)]
struct Families(Arc<[MetricFamily]>);

impl TextFormat {
    /// As the header Content-Type names it.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl Exposition {
    /// These families without the ones that have no series.
    pub(crate) fn new(families: Vec<MetricFamily>) -> Self {
        let families = families.into_iter().filter(|family| !family.series.is_empty()).collect();
        let (open_metrics, prometheus) = (OnceLock::new(), OnceLock::new());
        Self { families: Families(families), open_metrics, prometheus }
    }

    /// The text, shared by all who ask for it.
    pub(crate) fn text(&self, format: TextFormat) -> Arc<[u8]> {
        let text = match format {
            TextFormat::OpenMetrics => &self.open_metrics,
            TextFormat::Prometheus => &self.prometheus,
        };
        Arc::clone(text.get_or_init(|| self.encode(format).into_bytes().into()))
    }

    fn encode(&self, format: TextFormat) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.families.clone()));
        let mut out = String::new();
        let written = match format {
            TextFormat::OpenMetrics => text::encode(&mut out, &registry),
            TextFormat::Prometheus => prometheus_text::encode(&mut out, &registry),
        };
        written.expect("a string takes all text");
        out
    }
}

impl Series {
    fn is_empty(&self) -> bool {
        match self {
            Self::Gauge(series) => series.is_empty(),
            Self::Counter(series) => series.is_empty(),
            Self::Histogram(series) => series.is_empty(),
            Self::Info(_) => false,
        }
    }

    const fn kind(&self) -> MetricType {
        match self {
            Self::Gauge(_) => MetricType::Gauge,
            Self::Counter(_) => MetricType::Counter,
            Self::Histogram(_) => MetricType::Histogram,
            Self::Info(_) => MetricType::Info,
        }
    }
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for MetricFamily { name, help, series } in self.0.iter() {
            let mut metric = encoder.encode_descriptor(name, help, None, series.kind())?;
            match series {
                Series::Gauge(series) => {
                    for (labels, value) in series {
                        metric.encode_family(labels)?.encode_gauge(value)?;
                    }
                }
                Series::Counter(series) => {
                    for (labels, value) in series {
                        let mut counter = metric.encode_family(labels)?;
                        counter.encode_counter::<NoLabelSet, _, u64>(value, None)?;
                    }
                }
                Series::Histogram(series) => {
                    for (labels, histogram) in series {
                        metric.encode_family(labels)?.encode_histogram::<NoLabelSet>(
                            histogram.sum(),
                            histogram.count(),
                            &histogram.buckets(),
                            None,
                        )?;
                    }
                }
                Series::Info(labels) => metric.encode_info(labels)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn text(format: TextFormat) -> String {
        let mut histogram = Histogram::new(&[0.5]);
        histogram.add(Duration::from_secs(2));
        let labels = |value: &str| vec![("process", value.to_owned())];
        let exposition = Exposition::new(vec![
            MetricFamily {
                name: "a_now",
                help: "How many.",
                series: Series::Gauge(vec![(labels("x\"\\\n"), 1.0), (Vec::new(), 0.25)]),
            },
            MetricFamily { name: "none", help: "Nothing.", series: Series::Gauge(Vec::new()) },
            MetricFamily {
                name: "b",
                help: "How often.",
                series: Series::Counter(vec![(labels("y"), 7)]),
            },
            MetricFamily {
                name: "c_seconds",
                help: "How long.",
                series: Series::Histogram(vec![(labels("z"), histogram)]),
            },
            MetricFamily {
                name: "d",
                help: "What.",
                series: Series::Info(vec![("v", "1".to_owned())]),
            },
        ]);
        String::from_utf8(exposition.text(format).to_vec()).expect("UTF-8")
    }

    #[test]
    fn both_formats_are_as_specified() {
        let open_metrics = "# HELP a_now How many.\n# TYPE a_now gauge\n\
             a_now{process=\"x\\\"\\\\\\n\"} 1.0\na_now 0.25\n\
             # HELP b How often.\n# TYPE b counter\nb_total{process=\"y\"} 7\n\
             # HELP c_seconds How long.\n# TYPE c_seconds histogram\n\
             c_seconds_sum{process=\"z\"} 2.0\nc_seconds_count{process=\"z\"} 1\n\
             c_seconds_bucket{le=\"0.5\",process=\"z\"} 0\n\
             c_seconds_bucket{le=\"+Inf\",process=\"z\"} 1\n\
             # HELP d What.\n# TYPE d info\nd_info{v=\"1\"} 1\n# EOF\n";
        assert_eq!(text(TextFormat::OpenMetrics), open_metrics);
        let prometheus = "# HELP a_now How many.\n# TYPE a_now gauge\n\
             a_now{process=\"x\\\"\\\\\\n\"} 1.0\na_now 0.25\n\
             # HELP b_total How often.\n# TYPE b_total counter\nb_total{process=\"y\"} 7\n\
             # HELP c_seconds How long.\n# TYPE c_seconds histogram\n\
             c_seconds_bucket{process=\"z\",le=\"0.5\"} 0\n\
             c_seconds_bucket{process=\"z\",le=\"+Inf\"} 1\n\
             c_seconds_sum{process=\"z\"} 2.0\nc_seconds_count{process=\"z\"} 1\n\
             # HELP d_info What.\n# TYPE d_info gauge\nd_info{v=\"1\"} 1\n";
        assert_eq!(text(TextFormat::Prometheus), prometheus);
    }
}
