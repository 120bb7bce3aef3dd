//! Where files go, and what is never touched: other people's files, links, and a folder that can't be replaced.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn input() -> String {
    denied("mateojackson", "My-Trail").to_string()
}

/// The run is refused as wrong usage before anything is read, and says this; everything is as it was.
#[track_caller]
fn refused(scratch: &Scratch, folder: &Path, says: &str) {
    let before = (scratch.names(), tree(&scratch.0));
    let ran = emit("cli", folder, input());
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.said.contains(says), "{ran:?}");
    assert_eq!((scratch.names(), tree(&scratch.0)), before);
}

#[test]
fn a_new_folder_and_an_empty_one_are_filled() {
    let scratch = Scratch::new("empty");
    fs::create_dir(scratch.at("empty")).unwrap();
    let empty = emitted("cli", &scratch.at("empty"), input());
    let new = emitted("cli", &scratch.at("new"), input());
    // With a slash at the end, too.
    let slash = emitted("cli", &scratch.at("slash/"), input());
    assert!(empty == new && new == slash && new.len() == 2);
    assert_eq!(scratch.names(), ["empty", "new", "slash"], "nothing is left beside them");
}

#[test]
fn an_earlier_runs_files_make_way() {
    let scratch = Scratch::new("again");
    let folder = scratch.at("out");
    let first = emitted("terraform", &folder, lines([denied("alice", "A"), denied("bob", "B")]));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    // The same once more, then another language and other cases: what is no longer said is gone.
    assert_eq!(emitted("terraform", &folder, lines([denied("alice", "A"), denied("bob", "B")])), first);
    let second = emitted("cli", &folder, denied("bob", "B").to_string());
    assert_eq!(second.len(), 2);
    assert!(second.keys().all(|name| !first.contains_key(name) || name == "index.json"), "{second:?}");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "still nobody else's");
    assert_eq!(scratch.names(), ["out"]);
}

#[test]
fn nobodys_file_is_overwritten() {
    let scratch = Scratch::new("foreign");
    let folder = scratch.at("out");
    fs::create_dir(&folder).unwrap();
    // A foreign file alone, then one beside ours, one in an account's folder, one where ours would lie, an empty folder.
    fs::write(folder.join("main.tf"), "mine").unwrap();
    refused(&scratch, &folder, "holds what no earlier --emit has written there (main.tf)");
    fs::remove_file(folder.join("main.tf")).unwrap();
    let ours = emitted("cli", &folder, input());
    for name in ["main.tf", ".hidden", "111122223333/terraform.tfstate"] {
        fs::write(folder.join(name), "mine").unwrap();
        refused(&scratch, &folder, name);
        fs::remove_file(folder.join(name)).unwrap();
    }
    fs::create_dir_all(folder.join("sub/deep")).unwrap();
    refused(&scratch, &folder, "(sub");
    fs::remove_dir_all(folder.join("sub")).unwrap();
    fs::create_dir(folder.join("void")).unwrap();
    refused(&scratch, &folder, "(void)");
    fs::remove_dir(folder.join("void")).unwrap();

    // Ours, and somebody has written into it since: it is theirs.
    let name = *fixes(&ours).keys().next().unwrap();
    fs::write(folder.join(name), format!("{}# changed\n", ours[name])).unwrap();
    refused(&scratch, &folder, name);
    fs::write(folder.join(name), &ours[name]).unwrap();
    assert_eq!(emitted("cli", &folder, input()), ours);
}

/// An index that anybody could have written says nothing about files that are not what it says.
#[test]
fn an_index_gives_no_files_away() {
    let scratch = Scratch::new("index");
    let folder = scratch.at("out");
    fs::create_dir(&folder).unwrap();
    fs::write(scratch.at("precious"), "mine").unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    for index in [
        "{}".to_owned(),
        "not JSON".to_owned(),
        r#"{"schema":"trailpass.emit/2","files":[]}"#.to_owned(),
        r#"{"schema":"trailpass.emit/1","files":[]}"#.to_owned(),
        r#"{"schema":"trailpass.emit/1","files":[{"file":"notes.txt","sha256":""}]}"#.to_owned(),
        format!(r#"{{"schema":"trailpass.emit/1","files":[{{"file":"notes.txt","sha256":"{}"}}]}}"#, "0".repeat(64)),
    ] {
        fs::write(folder.join("index.json"), &index).unwrap();
        refused(&scratch, &folder, "holds what no earlier --emit has written there");
    }
    // One that names files elsewhere leads nowhere: only what lies in the folder is looked at.
    fs::remove_file(folder.join("notes.txt")).unwrap();
    fs::write(
        folder.join("index.json"),
        r#"{"schema":"trailpass.emit/1","files":[{"file":"../precious","sha256":"x"}]}"#,
    )
    .unwrap();
    emitted("cli", &folder, input());
    assert_eq!(fs::read_to_string(scratch.at("precious")).unwrap(), "mine");
    // An index of somebody else's program is no file of ours, even alone.
    fs::create_dir(scratch.at("other")).unwrap();
    fs::write(scratch.at("other/index.json"), "{}").unwrap();
    refused(&scratch, &scratch.at("other"), "index.json");
}

#[test]
fn no_link_is_followed() {
    let scratch = Scratch::new("links");
    for name in ["target", "out", "inner"] {
        fs::create_dir(scratch.at(name)).unwrap();
    }
    symlink(scratch.at("target"), scratch.at("link")).unwrap();
    symlink(scratch.at("nowhere"), scratch.at("dangling")).unwrap();
    refused(&scratch, &scratch.at("link"), "is a symbolic link");
    refused(&scratch, &scratch.at("link/"), "is a symbolic link");
    refused(&scratch, &scratch.at("dangling"), "is a symbolic link");
    // In the folder: under the index's name, as an account's folder, as the fix itself.
    fs::write(scratch.at("precious"), "mine").unwrap();
    symlink(scratch.at("precious"), scratch.at("out/index.json")).unwrap();
    refused(&scratch, &scratch.at("out"), "(index.json)");
    fs::remove_file(scratch.at("out/index.json")).unwrap();
    symlink(scratch.at("target"), scratch.at("out/111122223333")).unwrap();
    refused(&scratch, &scratch.at("out"), "(111122223333)");
    let files = emitted("cli", &scratch.at("inner"), input());
    let fix = scratch.at("inner").join(fixes(&files).keys().next().unwrap());
    fs::rename(&fix, scratch.at("moved")).unwrap();
    symlink(scratch.at("moved"), &fix).unwrap();
    refused(&scratch, &scratch.at("inner"), "holds what no earlier --emit has written there");
    assert_eq!(fs::read_dir(scratch.at("target")).unwrap().count(), 0);
    // A link on the way to the folder is the user's own way of naming it.
    assert_eq!(emitted("cli", &scratch.at("link/new"), input()).len(), 2);
}

#[test]
fn what_is_no_folder_is_left_alone() {
    let scratch = Scratch::new("file");
    fs::write(scratch.at("log.json"), "mine").unwrap();
    // The folder was forgotten, and a log took its place.
    refused(&scratch, &scratch.at("log.json"), "is there, and no folder");
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let scratch = Scratch::new("unwritable");
    fs::write(scratch.at("file"), "mine").unwrap();
    let before = tree(&scratch.0);
    for folder in [scratch.at("file/out"), scratch.at("missing/out"), PathBuf::from("/proc/trailpass")] {
        let ran = emit("cli", &folder, input());
        assert!(matches!(ran.status, Some(1 | 2)), "{ran:?}");
        assert!(ran.said.contains("is no folder that") || ran.said.contains("no folder can be made beside"), "{ran:?}");
    }
    let long = scratch.at(&"x".repeat(300));
    assert_ne!(emit("cli", &long, input()).status, Some(0));
    assert_eq!(tree(&scratch.0), before);

    // Whoever may write anywhere (root) is stopped by none of this.
    let shut = scratch.at("shut");
    fs::create_dir(&shut).unwrap();
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o555)).unwrap();
    let may_write = fs::write(shut.join("probe"), "").and_then(|()| fs::remove_file(shut.join("probe"))).is_ok();
    let ran = emit("cli", &shut.join("out"), input());
    assert_eq!(ran.status, Some(if may_write { 0 } else { 1 }), "{ran:?}");
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o755)).unwrap();
}
