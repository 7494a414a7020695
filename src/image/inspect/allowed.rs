//! What a station engineer takes on trust: the words of `allow`, each of which means one kind of thing and no other.

/// A word for a whole partition: `partition-3`.
const PARTITION: &str = "partition-";
/// The word for all that lies outside of every partition.
const GAPS: &str = "gaps";

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    paths: Vec<String>,
    partitions: Vec<u32>,
    gaps: bool,
}

impl Allowed {
    /// As written in the configuration. `partition-N` is the partition of that number, whatever it holds; `gaps` is what lies between
    /// partitions; everything else is a path: in `writable` from its root, on a boot partition behind that one's label
    /// (`system-boot/`, `ubuntu-seed/`). A path is a file, or a directory with everything in it.
    #[must_use]
    pub fn new(words: &[String]) -> Self {
        let mut allowed = Self::default();
        for word in words.iter().map(|word| word.trim_matches('/')).filter(|word| !word.is_empty()) {
            match word.strip_prefix(PARTITION).map(str::parse) {
                Some(Ok(number)) => allowed.partitions.push(number),
                _ if word == GAPS => allowed.gaps = true,
                _ => allowed.paths.push(word.to_owned()),
            }
        }
        allowed
    }

    /// A path in `writable`, where names are told apart by their case.
    pub(super) fn in_writable(&self, path: &str) -> bool {
        self.paths.iter().any(|allowed| is_in(path, allowed))
    }

    /// A path on the FAT of that label, where case tells nothing apart.
    pub(super) fn on_fat(&self, label: &str, path: &str) -> bool {
        let named = named_on_fat(label, path);
        self.paths.iter().any(|allowed| is_in(&named, &allowed.to_lowercase()))
    }

    pub(super) fn partition(&self, number: u32) -> bool {
        self.partitions.contains(&number)
    }

    pub(super) fn gaps(&self) -> bool {
        self.gaps
    }
}

/// The word for a file on the FAT of that label.
pub(super) fn named_on_fat(label: &str, path: &str) -> String {
    format!("{label}/{path}").to_lowercase()
}

/// The word for a partition.
pub(super) fn named_partition(number: u32) -> String {
    format!("{PARTITION}{number}")
}

fn is_in(path: &str, allowed: &str) -> bool {
    path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(words: &[&str]) -> Allowed {
        Allowed::new(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_allowed_lets_its_own_through_and_no_neighbour() {
        let allowed = allowed(&["/system-data/var/lib/cloud/", "system-data/a", "/", ""]);
        assert!(allowed.in_writable("system-data/var/lib/cloud/seed/nocloud-net/user-data"));
        assert!(allowed.in_writable("system-data/a"));
        for other in ["system-data/var/lib/clouds/x", "system-data/ab", "system-data", "System-data/a", "other"] {
            assert!(!allowed.in_writable(other), "{other}");
        }
        assert!(!allowed.gaps() && !allowed.partition(0));
    }

    #[test]
    fn a_file_on_fat_is_allowed_by_its_label_in_any_case() {
        let allowed = allowed(&["ubuntu-seed/EFI/ubuntu/grub.cfg", "system-boot"]);
        assert!(allowed.on_fat("UBUNTU-SEED", "efi/ubuntu/grub.cfg"));
        assert!(allowed.on_fat("system-boot", "config.txt"));
        assert!(!allowed.on_fat("ubuntu-seed", "efi/ubuntu/grubenv"));
        assert!(!allowed.on_fat("other", "efi/ubuntu/grub.cfg"));
    }

    #[test]
    fn a_word_for_one_kind_of_thing_allows_no_other() {
        let allowed = allowed(&["partition-3", "gaps", "writable"]);
        assert!(allowed.partition(3) && !allowed.partition(33) && allowed.gaps());
        assert!(!allowed.in_writable("partition-3") && !allowed.in_writable("gaps"));
        assert!(!super::Allowed::new(&["partition-x".to_owned()]).partition(0));
    }
}
