//! The `format` file of a tracepoint: where in a raw record each of its fields lies. Pure.
//!
//! Fields move, grow and come and go from kernel to kernel, so the offsets of the running one are
//! the only ones that count.

/// What the kernel says of one tracepoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The number that `perf_event_open()` knows it by.
    pub id: u64,
    fields: Vec<(String, Field)>,
}

/// Where a field lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    offset: usize,
    size: usize,
}

impl Format {
    /// Reads a `format` file; `None` where it names no id. A line that is no field is passed over.
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.lines().find_map(|line| line.strip_prefix("ID:"))?.trim().parse().ok()?;
        Some(Self { id, fields: text.lines().filter_map(field).collect() })
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<Field> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, field)| *field)
    }
}

impl Field {
    /// The bytes of the field in a raw record.
    pub fn bytes(self, raw: &[u8]) -> Option<&[u8]> {
        raw.get(self.offset..self.offset.checked_add(self.size)?)
    }

    /// The field as a number in the byte order of the machine: kernels differ in its width.
    pub fn number(self, raw: &[u8]) -> Option<u64> {
        let bytes = self.bytes(raw)?;
        Some(match bytes.len() {
            1 => u64::from(bytes[0]),
            2 => u64::from(u16::from_ne_bytes(bytes.try_into().ok()?)),
            4 => u64::from(u32::from_ne_bytes(bytes.try_into().ok()?)),
            8 => u64::from_ne_bytes(bytes.try_into().ok()?),
            _ => return None,
        })
    }

    /// The field as an array, such as an address.
    pub fn array<const N: usize>(self, raw: &[u8]) -> Option<[u8; N]> {
        self.bytes(raw)?.try_into().ok()
    }
}

/// `field:__u8 saddr[4]; offset:32; size:4; signed:0;`, with tabs between.
fn field(line: &str) -> Option<(String, Field)> {
    let mut parts = line.trim().strip_prefix("field:")?.split(';').map(str::trim);
    let declared = parts.next()?;
    let mut number = |key: &str| parts.next()?.strip_prefix(key)?.parse().ok();
    let field = Field { offset: number("offset:")?, size: number("size:")? };
    let name = declared.split_whitespace().next_back()?;
    let name = name.split('[').next()?.trim_start_matches('*');
    Some((name.to_owned(), field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Linux 6.18 prints it, shortened.
    const TEXT: &str = "name: inet_sock_set_state\nID: 2287\nformat:\n\
        \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n\
        \n\
        \tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
        \tfield:__u16 sport;\toffset:24;\tsize:2;\tsigned:0;\n\
        \tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;\n\
        \nprint fmt: \"family=%s\", REC->family\n";

    #[test]
    fn fields_are_found_by_their_bare_names() {
        let format = Format::parse(TEXT).unwrap();
        assert_eq!(format.id, 2287);
        let at = |name| format.field(name).map(|field| (field.offset, field.size));
        assert_eq!(at("common_flags"), Some((2, 1)));
        assert_eq!(at("skaddr"), Some((8, 8)));
        assert_eq!(at("saddr"), Some((32, 4)));
        assert_eq!(at("daddr"), None, "a kernel may lack a field");
        assert_eq!(Format::parse("format:\n"), None);
    }

    #[test]
    fn a_field_is_read_in_its_own_width_and_never_beyond_the_record() {
        let format = Format::parse(TEXT).unwrap();
        let mut raw = vec![0; 40];
        raw[24..26].copy_from_slice(&80_u16.to_ne_bytes());
        raw[32..36].copy_from_slice(&[127, 0, 0, 1]);
        let field = |name| format.field(name).unwrap();
        assert_eq!(field("sport").number(&raw), Some(80));
        assert_eq!(field("saddr").array(&raw), Some([127, 0, 0, 1]));
        assert_eq!(field("saddr").array::<16>(&raw), None);
        assert_eq!(field("saddr").number(&raw[..33]), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(field:|ID:|offset:|size:|[0-9]{1,30}|[ ;\\n\\t]|.){0,60}") {
            if let Some(format) = Format::parse(&text) {
                for (_, field) in &format.fields {
                    field.number(&[0; 64]);
                }
            }
        }
    }
}
