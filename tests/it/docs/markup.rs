//! The little markup of `man/text`, made into a page of man(7).
//!
//! `# HEADING`, `## Subheading`, paragraphs, `= term` with its paragraph, lines indented by four blanks
//! as they are, and within a line `` `code` `` and `*variable*`; `\*` is an asterisk.

use std::fmt::Write as _;

/// Longer lines of a page are a fault to those who check it.
const WIDEST: usize = 78;

/// The page of a text, without its title.
pub(super) fn roff(text: &str) -> String {
    roff_after(text, false)
}

/// The page of a text that follows other text, if `needs_break`: with a new paragraph.
pub(super) fn roff_after(text: &str, mut needs_break: bool) -> String {
    let mut page = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("# ") {
            writeln!(page, ".SH {}", quoted(heading)).unwrap();
            needs_break = false;
        } else if let Some(heading) = line.strip_prefix("## ") {
            writeln!(page, ".SS {}", quoted(heading)).unwrap();
            needs_break = false;
        } else if let Some(term) = line.strip_prefix("= ") {
            writeln!(page, ".TP\n{}", term_line(term)).unwrap();
            // The next line is the body of the term.
            paragraph(&mut page, lines.next().unwrap_or_default());
            needs_break = true;
        } else if let Some(first) = line.strip_prefix("    ") {
            page += ".PP\n.RS 4\n.nf\n";
            let mut literal = Some(first);
            while let Some(line) = literal {
                writeln!(page, "{}", guarded(&escaped(line))).unwrap();
                literal = lines.peek().and_then(|next| match next.strip_prefix("    ") {
                    None if next.is_empty() => Some(""),
                    rest => rest,
                });
                if literal.is_some() {
                    lines.next();
                }
            }
            while page.ends_with("\n\n") {
                page.pop();
            }
            page += ".fi\n.RE\n";
            needs_break = true;
        } else if !line.is_empty() {
            if needs_break {
                page += ".PP\n";
            }
            paragraph(&mut page, line);
            needs_break = true;
        }
    }
    page
}

/// Text outside of markup, as a page has it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('^', "\\(ha")
        .replace('~', "\\(ti")
}

fn quoted(heading: &str) -> String {
    if heading.contains(' ') { format!("\"{heading}\"") } else { heading.to_owned() }
}

/// A term is bold, and must not be mistaken for a request.
fn term_line(term: &str) -> String {
    format!("\\fB{}\\fR", escaped(&term.replace("\\*", "*")))
}

fn paragraph(page: &mut String, text: &str) {
    for line in wrapped(&inline(text)) {
        writeln!(page, "{}", guarded(&line)).unwrap();
    }
}

/// A line that begins like a request is text.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is one");
        if last.is_empty() {
            last.push_str(word);
        } else if last.len() + 1 + word.len() <= WIDEST {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Bold for code, italics for variables. Between marks dashes are those of options.
fn inline(text: &str) -> String {
    let mut out = String::new();
    let (mut bold, mut italic) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '`' => {
                bold = !bold;
                out += if bold { "\\fB" } else { "\\fR" };
            }
            '*' if !bold => {
                italic = !italic;
                out += if italic { "\\fI" } else { "\\fR" };
            }
            '\\' if !bold && characters.peek() == Some(&'*') => {
                out.extend(characters.next());
            }
            other => out += &escaped(&other.to_string()),
        }
    }
    out
}

#[test]
fn markup_becomes_requests() {
    let text =
        "# NAME\n\na - b\n\nRun `ls -l` *FILE*.\n\n= -x, \\*\n.hidden\n\n    a \\ b\n\n    c\n";
    assert_eq!(
        roff(text),
        ".SH NAME\na \\- b\n.PP\nRun \\fBls \\-l\\fR \\fIFILE\\fR.\n.TP\n\\fB\\-x, *\\fR\n\\&.hidden\n\
         .PP\n.RS 4\n.nf\na \\e b\n\nc\n.fi\n.RE\n"
    );
}
