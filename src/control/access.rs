//! Decides which user may make which requests: the kernel names the user at the other end (`SO_PEERCRED`, unix(7)); the groups of the PC
//! give the rights.

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::ffi::CString;

use crate::station::request::Who;

/// Members of this group may see what the station shows.
pub(crate) const READERS: &str = "flashline";
/// Members may change what the station does.
pub(crate) const ADMINS: &str = "flashline-admin";

/// What a user may do with a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// Neither read nor change.
    None,
    /// Read what the station shows.
    Look,
    /// Also give the station commands.
    Change,
}

/// The function that finds the rights of a user.
pub type Ask = fn(u32, u32) -> (Who, Rights);

/// By the groups of this PC. Root may do everything.
#[must_use]
pub(crate) fn by_groups(uid: u32, gid: u32) -> (Who, Rights) {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let name = user.as_ref().map_or_else(|| uid.to_string(), |user| user.name.clone());
    let rights = if uid == 0 { Rights::Change } else { rights_of(user.as_ref(), gid) };
    (Who { uid, name }, rights)
}

fn rights_of(user: Option<&User>, gid: u32) -> Rights {
    let mut groups = vec![Gid::from_raw(gid)];
    if let Some(user) = user
        && let Ok(name) = CString::new(user.name.as_str())
        && let Ok(all) = getgrouplist(&name, user.gid)
    {
        groups.extend(all);
    }
    let is_in = |name: &str| Group::from_name(name).ok().flatten().is_some_and(|group| groups.contains(&group.gid));
    if is_in(ADMINS) {
        Rights::Change
    } else if is_in(READERS) {
        Rights::Look
    } else {
        Rights::None
    }
}

/// Does the PC have one of the groups?
#[must_use]
pub(crate) fn anybody_may_ask() -> bool {
    [READERS, ADMINS].iter().any(|name| Group::from_name(name).ok().flatten().is_some())
}
