//! Tables as they are printed.

use std::path::Path;

use super::*;

fn tables_of(configuration: &str, node: &str) -> String {
    let folder = std::env::temp_dir().join(format!(
        "evenkeel-failover-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("evenkeel.toml");
    std::fs::write(&file, configuration).expect("a file");
    let tables = tables_at(&file, node);
    std::fs::remove_dir_all(&folder).expect("it was there");
    tables
}

fn tables_at(file: &Path, node: &str) -> String {
    let source = Source {
        file: file.to_owned(),
        node: node.to_owned(),
        environment: Vec::new(),
    };
    let settings = settings::load(&source).expect("it can be used");
    tables(&source, &settings)
}

const ARTICLE: &str = "\
Who owns the addresses of YN_API_GATEWAY
  what fails                                                  owner                 priorities
  nothing                                                     proxy101              202 > 201
  proxy101: script chk_gateway                                proxy102              201 > 200
  proxy101: proxy                                             proxy102              201 > 1
  proxy101: down                                              proxy102              201, alone
  proxy102: script chk_gateway                                proxy101              202 > 199
  proxy102: proxy                                             proxy101              202 > 1
  proxy102: down                                              proxy101              202, alone
  proxy101: script chk_gateway; proxy102: script chk_gateway  proxy101              200 > 199
  proxy101: script chk_gateway; proxy102: proxy               proxy101              200 > 1
  proxy101: script chk_gateway; proxy102: down                proxy101              200, alone
  proxy101: proxy; proxy102: script chk_gateway               proxy102              199 > 1
  proxy101: proxy; proxy102: proxy                            proxy101 or proxy102  whoever owned before the last failure
  proxy101: proxy; proxy102: down                             proxy101              1, alone
  proxy101: down; proxy102: script chk_gateway                proxy102              199, alone
  proxy101: down; proxy102: proxy                             proxy102              1, alone
  proxy101: down; proxy102: down                              nobody                all down or FAULT

";

#[test]
fn the_sample_is_a_table_of_a_screen() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc/evenkeel.toml");
    for node in ["proxy101", "proxy102"] {
        let seen = tables_at(&sample, node);
        assert_eq!(seen, ARTICLE);
    }
}

const PAIR: &str = r#"
[nodes.a]
address = "192.168.0.1"
[nodes.b]
address = "192.168.0.2"
[virtual_routers.one]
interface = "em1"
vrid = 1
priority = { a = 200, b = 190 }
addresses = ["192.168.0.5"]
track_scripts = ["chk"]
[virtual_routers.two]
interface = "em1"
vrid = 2
priority = { a = 200, b = 190 }
addresses = ["192.168.0.6"]
track_scripts = ["chk"]
[scripts.chk]
command = ["/bin/true"]
weight = 20
"#;

#[test]
fn routers_that_behave_alike_share_a_table() {
    let seen = tables_of(PAIR, "a");
    assert_eq!(seen.matches("Who owns").count(), 1, "{seen}");
    assert!(
        seen.starts_with("Who owns the addresses of one, two\n"),
        "{seen}"
    );
}

#[test]
fn what_settings_has_warned_of_is_not_said_again() {
    let short = PAIR.replace("weight = 20", "weight = 2");
    let seen = tables_of(&short, "a");
    assert!(!seen.contains("moves nothing"), "{seen}");
    assert!(seen.contains("  a: script chk  "), "{seen}");
    assert!(seen.contains("200 > 192"), "{seen}");
}

#[test]
fn an_override_of_the_other_node_counts() {
    let with_override = PAIR.replace(
        "[virtual_routers.one]",
        "[nodes.b.override.scripts.chk]\nweight = 5\n[virtual_routers.one]",
    );
    for node in ["a", "b"] {
        let seen = tables_of(&with_override, node);
        assert!(seen.contains("220 > 195"), "{seen}");
    }
}

#[test]
fn what_one_of_a_sync_group_tracks_moves_all_of_it() {
    let grouped = PAIR
        .replace("track_scripts = [\"chk\"]", "sync_group = \"edge\"")
        .replacen(
            "sync_group",
            "track_scripts = [{ name = \"chk\", band = \"degraded\" }]\nsync_group",
            1,
        );
    let seen = tables_of(&grouped, "a");
    assert!(
        seen.starts_with("Who owns the addresses of one, two (sync group edge)\n"),
        "{seen}"
    );
    for line in ["190 > 2\n", "a: script chk; b: script chk", "2 > 1\n"] {
        assert!(seen.contains(line), "{line}: {seen}");
    }
}

#[test]
fn peers_that_are_no_nodes_are_named() {
    let strange = PAIR.replacen("vrid = 1\n", "vrid = 1\npeers = [\"192.168.0.9\"]\n", 1);
    let seen = tables_of(&strange, "a");
    assert!(
        seen.contains("note: 192.168.0.9 may own them too"),
        "{seen}"
    );
}
