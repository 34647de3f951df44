//! Who a process is, and becoming somebody less powerful for good.

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::unistd::{Gid, Group, Uid, User, getresgid, getresuid, setgroups, setresgid, setresuid};

pub use caps::Capability as Cap;

/// Why privileges could not be dropped. The process must end: it is more powerful than it should be.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// A system call refused.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        error: nix::Error,
    },
    /// A capability set could not be changed.
    #[error("cannot change capabilities: {0}")]
    Capabilities(#[from] caps::errors::CapsError),
    /// Everything succeeded, and still the process is not who it should be.
    #[error("after dropping privileges, {0} is not as it should be")]
    Incomplete(&'static str),
}

/// Becomes `uid` and `gid`, keeping only the capabilities in `keep`, for good.
///
/// With uid 0 (a user namespace that knows no other user) the process stays root by name but loses
/// all capabilities but `keep`. Must run before other threads exist: capabilities are per thread.
///
/// # Errors
/// [`PrivilegeError`]; the caller must then end the process.
pub fn drop_to(uid: u32, gid: u32, keep: &[Capability]) -> Result<(), PrivilegeError> {
    let keep: CapsHashSet = keep.iter().copied().collect();
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));

    // First what later executions could regain: that needs CAP_SETPCAP, which goes below.
    caps::clear(None, CapSet::Ambient)?;
    for capability in caps::read(None, CapSet::Bounding)? {
        caps::drop(None, CapSet::Bounding, capability)?;
    }
    // The capabilities must survive the change of user, to be reduced to the kept ones after it.
    prctl::set_keepcaps(true).map_err(system("keep capabilities"))?;
    // Groups before the user, since the user may not change them.
    if uid.as_raw() != 0 {
        setgroups(&[gid]).map_err(system("set the supplementary groups"))?;
        setresgid(gid, gid, gid).map_err(system("set the group"))?;
        setresuid(uid, uid, uid).map_err(system("set the user"))?;
    }
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &keep)?;
    caps::set(None, CapSet::Permitted, &keep)?;
    // Nothing executed from here on gains anything, set-user-ID or not.
    prctl::set_no_new_privs().map_err(system("forbid new privileges"))?;
    // No core file and no tracer by the same user: there may be secrets in memory.
    prctl::set_dumpable(false).map_err(system("forbid core dumps"))?;
    verify(uid, gid, &keep)
}

/// The last line of defence: looks instead of believing.
fn verify(uid: Uid, gid: Gid, keep: &CapsHashSet) -> Result<(), PrivilegeError> {
    let users = getresuid().map_err(system("read the user"))?;
    if (users.real, users.effective, users.saved) != (uid, uid, uid) {
        return Err(PrivilegeError::Incomplete("the user"));
    }
    let groups = getresgid().map_err(system("read the group"))?;
    if uid.as_raw() != 0 && (groups.real, groups.effective, groups.saved) != (gid, gid, gid) {
        return Err(PrivilegeError::Incomplete("the group"));
    }
    for set in [CapSet::Effective, CapSet::Permitted] {
        if caps::read(None, set)? != *keep {
            return Err(PrivilegeError::Incomplete("the capability set"));
        }
    }
    Ok(())
}

fn system(what: &'static str) -> impl FnOnce(nix::Error) -> PrivilegeError {
    move |error| PrivilegeError::System { what, error }
}

/// A user and a group by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Looks a user up by name, and a group where it is not the user's own.
///
/// `Ok(None)` when the user or the group does not exist.
///
/// # Errors
/// Those of the system's user database.
pub fn identity(user: &str, group: Option<&str>) -> std::io::Result<Option<Identity>> {
    let Some(user) = User::from_name(user)? else {
        return Ok(None);
    };
    let gid = match group {
        None => user.gid,
        Some(name) => match Group::from_name(name)? {
            Some(group) => group.gid,
            None => return Ok(None),
        },
    };
    Ok(Some(Identity {
        uid: user.uid.as_raw(),
        gid: gid.as_raw(),
    }))
}

/// Whether this process is root (in its user namespace).
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Whether `uid` is the user this process runs as.
pub fn is_own_user(uid: u32) -> bool {
    Uid::effective().as_raw() == uid
}
