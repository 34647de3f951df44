//! How findings are shown.

use crate::findings_of;

/// What is shown of the first finding, without the name of the folder.
fn shown(content: &str) -> String {
    let (findings, folder) = findings_of(content);
    findings
        .first()
        .expect("a finding")
        .to_string()
        .replace(&folder, "/etc/evenkeel/")
}

#[test]
fn the_line_is_shown_with_marks_below_what_is_meant() {
    let expected = r#"error: unknown key "adress"
 --> /etc/evenkeel/evenkeel.toml:2:1
  |
2 | adress = "10.0.0.1"
  | ^^^^^^ did you mean "address"?
"#;
    assert_eq!(
        shown("[nodes.a]\nadress = \"10.0.0.1\"\naddress = \"10.0.0.1\"\n"),
        expected
    );
}

#[test]
fn tabs_and_wide_characters_keep_the_marks_in_place() {
    let expected = "error: \"workers\" must be a whole number from 1 to 1024, not 0
  --> /etc/evenkeel/evenkeel.toml:10:13
   |
10 | \tworkers\t = 0
   | \t       \t   ^
";
    let content = format!(
        "# \u{fc}\u{4e2d}{}[proxy]\n\tworkers\t = 0\n",
        "\n".repeat(8)
    );
    let content = format!("{content}[nodes.a]\naddress = \"10.0.0.1\"\n");
    assert_eq!(shown(&content), expected);
}

#[test]
fn a_value_over_several_lines_is_marked_on_its_first() {
    let expected = r#"error: "addresses" must not be empty
 --> /etc/evenkeel/evenkeel.toml:4:13
  |
4 | addresses = [
  |             ^
"#;
    let content = "[virtual_routers.r]\ninterface = \"e\"\nvrid = 1\naddresses = [\n]\n\
                   [nodes.a]\naddress = \"10.0.0.1\"\n";
    assert_eq!(shown(content), expected);
}

#[test]
fn what_has_no_line_is_shown_by_its_file() {
    let expected = "error: there are no nodes
  --> /etc/evenkeel/evenkeel.toml
   = add [nodes.a] with its address, and the other nodes
";
    assert_eq!(shown(""), expected);
}
