//! The folder of one machine: what it was used for, whose it is, and the key that vouches for its decisions.
//!
//! Whoever brings a folder brings its decisions, its key and its grants. So a folder stays what it was first used for, a rehearsal or one
//! account; and where grants are real, it has to be nobody else's.

use std::path::Path;

use adapters::vouch::LocalVoucher;
use reconcile::handle::Account;

use crate::{
    local::{random, write_private},
    output::visible,
};

/// Takes the cases away from everybody else's eyes, whoever made the folder: they say who may do what.
#[cfg_attr(
    not(unix),
    allow(clippy::unnecessary_wraps, unused_variables, reason = "other systems have other permissions")
)]
pub fn close(folder: &Path) -> Result<(), String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = folder.join("trailpass.redb");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, private).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}

/// Keeps a folder to what it was first used for: what was approved in a rehearsal must not be given in an account, nor in another one.
pub fn keep_to(folder: &Path, account: &Account, is_real: bool) -> Result<(), String> {
    let file = folder.join("grants");
    let named = |why: std::io::Error| format!("{}: {why}", file.display());
    let purpose = if is_real { format!("made in account {}", account.id) } else { "rehearsed".to_owned() };
    let known = match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().to_owned(),
        // What was decided in it before this was written down was a rehearsal, for all that is known.
        Err(why) if why.kind() == std::io::ErrorKind::NotFound && folder.join("decisions.key").exists() => {
            "rehearsed".to_owned()
        }
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => purpose.clone(),
        Err(why) => return Err(named(why)),
    };
    if known != purpose {
        return Err(format!(
            "in {} grants are {}, and now they would be {purpose}: take another folder with --data",
            visible(&folder.display().to_string()),
            visible(&known)
        ));
    }
    write_private(&file, purpose.as_bytes()).map_err(named)?;
    #[cfg(unix)]
    if is_real {
        is_ours(folder, &file)?;
    }
    Ok(())
}

/// Refuses a folder that somebody else has made or may write to: it would bring its own decisions, and the key that vouches for them.
/// `written`: a file that this program has just made.
#[cfg(unix)]
fn is_ours(folder: &Path, written: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let about = |path: &Path| std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()));
    let us = about(written)?.uid();
    for path in [folder.to_owned(), folder.join("decisions.key"), folder.join("trailpass.redb")] {
        let is_there = path.try_exists().unwrap_or(true);
        if is_there && about(&path).is_ok_and(|of| of.uid() != us || of.mode() & 0o022 != 0) {
            return Err(format!(
                "{} belongs to, or can be written by, somebody else: where grants are real, take a folder of your own with --data",
                visible(&path.display().to_string())
            ));
        }
    }
    Ok(())
}

/// The key that vouches for this folder's decisions: made once, and its owner's alone.
pub fn voucher(folder: &Path) -> Result<LocalVoucher, String> {
    let file = folder.join("decisions.key");
    let named = |why: std::io::Error| format!("{}: {why}", file.display());
    let key = match std::fs::read(&file) {
        Ok(bytes) => bytes.try_into().map_err(|_| format!("{}: this is no key of 32 bytes", file.display()))?,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            let key = random().map_err(named)?;
            write_private(&file, &key).map_err(named)?;
            key
        }
        Err(why) => return Err(named(why)),
    };
    Ok(LocalVoucher::new(key))
}
