//! The contents that a station engineer accepts without proof: the words of `allow`, each with exactly one meaning.

/// A word for a whole partition: `partition-3`.
const PARTITION: &str = "partition-";
/// The word for everything outside of every partition.
const GAPS: &str = "gaps";

/// Files, partitions and gaps that may contain data that the model does not describe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    paths: Vec<String>,
    partitions: Vec<u32>,
    gaps: bool,
}

impl Allowed {
    /// Reads the words of the configuration. `partition-N` is the partition with that number, whatever its contents; `gaps` are the bytes
    /// between partitions; everything else is a path: in `writable` from its root, on a boot partition behind its label (`system-boot/`,
    /// `ubuntu-seed/`). A path is a file, or a directory with all its contents.
    ///
    /// # Errors
    /// The first word without a meaning, and a suggestion.
    pub fn new<S: AsRef<str>>(words: &[S]) -> Result<Self, String> {
        let mut allowed = Self::default();
        words.iter().try_for_each(|word| allowed.add(word.as_ref()))?;
        Ok(allowed)
    }

    /// Adds one word.
    ///
    /// # Errors
    /// What is wrong with it, and a suggestion.
    pub(crate) fn add(&mut self, word: &str) -> Result<(), String> {
        let path = word.trim_matches('/');
        let is_like = |known: &str| path.to_lowercase().starts_with(known);
        if word != word.trim() {
            return Err(format!("{word:?} has spaces around it, which no word has"));
        }
        // The whole image is not a valid path: that would allow everything.
        if path.split('/').any(|part| part.is_empty() || matches!(part, "." | "..")) {
            return Err(format!("{word:?} is no path inside the image, as \"system-data/var/lib/cloud\""));
        }
        if word == GAPS {
            self.gaps = true;
        } else if path.eq_ignore_ascii_case(GAPS) {
            return Err(format!("{word:?} is no path; write {GAPS:?} for all between partitions"));
        } else if is_like(PARTITION.trim_end_matches('-')) {
            let number = word.strip_prefix(PARTITION).and_then(|digits| digits.parse().ok());
            let number = number.filter(|number| *number > 0 && named_partition(*number) == word);
            let why = || format!("{word:?} is no partition; write its number behind {PARTITION:?}, as \"partition-3\"");
            self.partitions.push(number.ok_or_else(why)?);
        } else {
            self.paths.push(path.to_owned());
        }
        Ok(())
    }

    /// A path in `writable`, where names are case-sensitive.
    #[must_use]
    pub(crate) fn in_writable(&self, path: &str) -> bool {
        self.paths.iter().any(|allowed| is_in(path, allowed))
    }

    /// A path on the FAT with that label, where names are not case-sensitive.
    #[must_use]
    pub(crate) fn on_fat(&self, label: &str, path: &str) -> bool {
        let named = named_on_fat(label, path);
        self.paths.iter().any(|allowed| is_in(&named, &allowed.to_lowercase()))
    }

    /// The partition with that number, whatever its contents.
    #[must_use]
    pub(crate) fn partition(&self, number: u32) -> bool {
        self.partitions.contains(&number)
    }

    /// The bytes between partitions.
    #[must_use]
    pub(crate) fn gaps(&self) -> bool {
        self.gaps
    }
}

/// The word for a file on the FAT with that label.
#[must_use]
pub(crate) fn named_on_fat(label: &str, path: &str) -> String {
    format!("{label}/{path}").to_lowercase()
}

/// The word for a partition.
#[must_use]
pub(crate) fn named_partition(number: u32) -> String {
    format!("{PARTITION}{number}")
}

fn is_in(path: &str, allowed: &str) -> bool {
    path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(words: &[&str]) -> Allowed {
        Allowed::new(words).expect("they have a meaning")
    }

    #[test]
    fn what_is_allowed_lets_its_own_through_and_no_neighbour() {
        let allowed = allowed(&["/system-data/var/lib/cloud/", "system-data/a"]);
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
    }

    #[test]
    fn a_word_that_means_nothing_is_refused_before_anybody_relies_on_it() {
        for word in [
            "partition-x",
            "partition-",
            "partition-+3",
            "partition-03",
            "partition-0",
            "partition-3/",
            "/partition-3",
            "partition3",
            "partition_3",
            "Partition-3",
            "partition-3/x",
        ] {
            let why = Allowed::new(&[word]).expect_err(word);
            assert_eq!(why, format!("{word:?} is no partition; write its number behind \"partition-\", as \"partition-3\""));
        }
        for word in ["/gaps", "gaps/", "Gaps"] {
            assert!(Allowed::new(&[word]).expect_err(word).ends_with("write \"gaps\" for all between partitions"));
        }
        for word in [" gaps", "partition-3 ", " system-data/a"] {
            assert!(Allowed::new(&[word]).expect_err(word).ends_with("has spaces around it, which no word has"));
        }
        for word in ["", "/", "../etc", "a//b", "a/."] {
            assert!(Allowed::new(&[word]).expect_err(word).contains("is no path inside the image"));
        }
    }
}
