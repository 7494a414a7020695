//! The imports between the files of a crate, read from their tokens, and the circles among them.
//!
//! An arrow goes from a file to the file that defines a name that the first one uses, by `use` or by a path in its code. A re-export is
//! followed to that file. The name of a module alone is not an arrow; a name behind it is. A module is part of the modules around it: a
//! name that it takes from them is not an arrow. Code that exists in tests only (`#[cfg(test)]`) does not count. Methods cannot be seen: a
//! call of one is not an arrow.
//!
//! A folder is one box for its neighbours: it uses everything that any of its files uses. So no two boxes of a folder, files or folders,
//! may use each other in a circle. A circle of files is always one of boxes, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The sources of a crate: paths below the directory of its root, and texts.
pub(super) type Sources = BTreeMap<PathBuf, String>;

/// `crate::station::slot` without the first.
type ModulePath = Vec<String>;

/// File, other file: the names that the first takes from the second.
type Arrows = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// Box, other box: the arrows of the files in them, in words.
type Boxes = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// Limit of aliases that lead to one another.
const ALIASES: usize = 20;

#[derive(Default)]
struct Module {
    file: PathBuf,
    /// The names that `use` binds here, with their paths.
    aliases: BTreeMap<String, Vec<String>>,
    /// Every path that it imports, and every one of two segments or more in its code.
    paths: BTreeSet<Vec<String>>,
}

/// The target of a path.
enum Target {
    Module(ModulePath),
    /// An item of the module that this file holds.
    Item(PathBuf),
}

/// The crate whose root is `root`, one of the sources.
struct Crate<'a> {
    sources: &'a Sources,
    modules: BTreeMap<ModulePath, Module>,
}

impl<'a> Crate<'a> {
    fn read(sources: &'a Sources, root: &str) -> Self {
        let mut read = Self { sources, modules: BTreeMap::new() };
        read.read_file(Vec::new(), PathBuf::from(root));
        read
    }

    fn read_file(&mut self, module: ModulePath, file: PathBuf) {
        let text = self.sources.get(&file).unwrap_or_else(|| panic!("{} is among the sources", file.display()));
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.read_module(module, file, stream);
    }

    fn read_module(&mut self, path: ModulePath, file: PathBuf, stream: TokenStream) {
        self.modules.insert(path.clone(), Module { file: file.clone(), ..Module::default() });
        let mut found = Found::default();
        found.walk(stream);
        let own = self.modules.get_mut(&path).expect("it was put there");
        own.paths = found.paths;
        for (path, name) in found.uses {
            own.paths.insert(path.clone());
            // `x::*` and `x as _` bind no name that code could spell: names from the first are searched in `x` itself.
            if name != "*" && name != "_" {
                own.aliases.insert(name, path);
            }
        }
        for (name, inline) in found.children {
            let child = [path.clone(), vec![name.clone()]].concat();
            match inline {
                Some(stream) => self.read_module(child, file.clone(), stream),
                None => self.read_file(child, self.file_of(&file, &name)),
            }
        }
    }

    /// Where `mod name;` in this file is.
    fn file_of(&self, parent: &Path, name: &str) -> PathBuf {
        let stem = parent.file_stem().expect("a source has a name");
        let is_root_of_its_folder = stem == "mod" || stem == "lib" || stem == "main";
        let directory = if is_root_of_its_folder { parent.with_file_name("") } else { parent.with_extension("") };
        let flat = directory.join(format!("{name}.rs"));
        if self.sources.contains_key(&flat) { flat } else { directory.join(name).join("mod.rs") }
    }

    /// The meaning of a path in this module; `None` for one of another crate or a local one.
    fn resolve(&self, at: &[String], path: &[String], aliases: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest, aliases),
            "self" => self.descend(at.to_vec(), rest, aliases),
            "super" => {
                let (_, above) = at.split_last()?;
                // `super::super`: the second one is relative to the first.
                if rest.first().is_some_and(|next| next == "super") {
                    self.resolve(above, rest, aliases)
                } else {
                    self.descend(above.to_vec(), rest, aliases)
                }
            }
            _ => {
                let is_here = self.modules.contains_key(&[at, std::slice::from_ref(first)].concat());
                let is_bound = self.modules.get(at)?.aliases.contains_key(first);
                if is_here || is_bound { self.descend(at.to_vec(), path, aliases) } else { None }
            }
        }
    }

    fn descend(&self, at: ModulePath, rest: &[String], aliases: usize) -> Option<Target> {
        let Some((next, behind)) = rest.split_first() else { return Some(Target::Module(at)) };
        let module = self.modules.get(&at)?;
        let child = [at.clone(), vec![next.clone()]].concat();
        let is_child = self.modules.contains_key(&child);
        // A function may have the name of its module, and be re-exported beside it.
        let alias = module.aliases.get(next).filter(|path| (!is_child || behind.is_empty()) && path.last() == Some(next) && aliases > 0);
        let alias = alias.or_else(|| module.aliases.get(next).filter(|_| !is_child && aliases > 0));
        if let Some(path) = alias {
            return match self.resolve(&at, path, aliases - 1)? {
                Target::Module(module) => self.descend(module, behind, aliases - 1),
                item @ Target::Item(_) => Some(item),
            };
        }
        if is_child { self.descend(child, behind, aliases) } else { Some(Target::Item(module.file.clone())) }
    }

    fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (at, module) in &self.modules {
            for path in &module.paths {
                let Some(Target::Item(to)) = self.resolve(at, path, ALIASES) else { continue };
                let is_around = |length| self.modules.get(&at[..length]).is_some_and(|outer| outer.file == to);
                if !(0..=at.len()).any(is_around) {
                    arrows.entry(module.file.clone()).or_default().entry(to).or_default().insert(path.join("::"));
                }
            }
        }
        arrows
    }
}

/// The contents of one module, without its children.
#[derive(Default)]
struct Found {
    /// A path, and the name it is bound to.
    uses: Vec<(Vec<String>, String)>,
    paths: BTreeSet<Vec<String>>,
    /// With the tokens of children in the same file.
    children: Vec<(String, Option<TokenStream>)>,
}

impl Found {
    fn walk(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut index = 0;
        while let Some(token) = tokens.get(index) {
            index = match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' && is_for_tests(tokens.get(index + 1)) => end_of_item(&tokens, index + 2),
                TokenTree::Ident(word) if word == "use" => self.note_use(&tokens, index),
                TokenTree::Ident(word) if word == "mod" => self.note_child(&tokens, index),
                TokenTree::Ident(_) => self.note_path(&tokens, index),
                TokenTree::Group(group) => {
                    self.walk(group.stream());
                    index + 1
                }
                _ => index + 1,
            };
        }
    }

    fn note_use(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let end = at + tokens[at..].iter().take_while(|token| !is_punct(token, ';')).count();
        leaves(&tokens[at + 1..end], &[], &mut |path, name| self.uses.push((path, name)));
        end + 1
    }

    fn note_child(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let (Some(TokenTree::Ident(name)), Some(behind)) = (tokens.get(at + 1), tokens.get(at + 2)) else { return at + 1 };
        match behind {
            TokenTree::Group(group) => self.children.push((name.to_string(), Some(group.stream()))),
            _ => self.children.push((name.to_string(), None)),
        }
        at + 3
    }

    fn note_path(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let mut path = vec![tokens[at].to_string()];
        let mut next = at + 1;
        while is_colons(tokens, next)
            && let Some(TokenTree::Ident(segment)) = tokens.get(next + 2)
        {
            path.push(segment.to_string());
            next += 3;
        }
        let is_member = at > 0 && is_punct(&tokens[at - 1], '.') || at > 1 && is_colons(tokens, at - 2);
        if !is_member && path.len() > 1 {
            self.paths.insert(path);
        }
        next
    }
}

/// Every path in a tree of `use`, and the name it is bound to.
fn leaves(tree: &[TokenTree], before: &[String], bind: &mut impl FnMut(Vec<String>, String)) {
    let mut path = before.to_vec();
    let mut name = None;
    let mut index = 0;
    while let Some(token) = tree.get(index) {
        match token {
            TokenTree::Ident(word) if word == "as" => {
                name = tree.get(index + 1).map(ToString::to_string);
                index += 1;
            }
            // `self` in a group means the path before the group.
            TokenTree::Ident(word) if word == "self" && !before.is_empty() => {}
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == '*' => path.push("*".to_owned()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inside.split(|token| is_punct(token, ',')).filter(|branch| !branch.is_empty()) {
                    leaves(branch, &path, bind);
                }
                return;
            }
            _ => {}
        }
        index += 1;
    }
    if let Some(last) = path.last().cloned() {
        bind(path, name.unwrap_or(last));
    }
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    tokens.get(at..at + 2).is_some_and(|two| two.iter().all(|token| is_punct(token, ':')))
}

/// Is this the attribute `[cfg(test)]` or `[cfg(doctest)]`?
fn is_for_tests(attribute: Option<&TokenTree>) -> bool {
    attribute.is_some_and(|attribute| {
        let text: String = attribute.to_string().split_whitespace().collect();
        text == "[cfg(test)]" || text == "[cfg(doctest)]"
    })
}

/// The position behind the item that begins here: its `;`, or its braces.
fn end_of_item(tokens: &[TokenTree], from: usize) -> usize {
    let ends =
        |token: &TokenTree| is_punct(token, ';') || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    tokens[from..].iter().position(ends).map_or(tokens.len(), |position| from + position + 1)
}

/// The name of a file as a box: `slot` for `slot.rs` and everything in `slot/`.
fn box_of(file: &Path) -> Vec<String> {
    file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect()
}

/// Each arrow once, between the two neighbouring boxes that contain its ends.
fn between_boxes(arrows: &Arrows) -> Boxes {
    let mut boxes = Boxes::new();
    for (from, others) in arrows {
        for (to, names) in others {
            let (one, other) = (box_of(from), box_of(to));
            let common = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
            // `slot.rs` beside what is in `slot/`.
            let side = |of: &[String]| of[..common].iter().chain([of.get(common).unwrap_or(&"mod".to_owned())]).collect::<PathBuf>();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let words = format!("  {} uses {}: {}", from.display(), to.display(), names.join(", "));
            boxes.entry(side(&one)).or_default().entry(side(&other)).or_default().insert(words);
        }
    }
    boxes
}

/// Every group of boxes that import each other in a circle, with the arrows between them; empty where there is none.
pub(super) fn circles(sources: &Sources, root: &str) -> Vec<String> {
    let boxes = between_boxes(&Crate::read(sources, root).arrows());
    let from_each: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> = boxes.keys().map(|one| (one, reached(&boxes, one))).collect();
    let mut told = BTreeSet::new();
    let mut circles = Vec::new();
    for (one, reach) in &from_each {
        if !reach.contains(one) || told.contains(one) {
            continue;
        }
        let is_around = |other: &&PathBuf| from_each.get(other).is_some_and(|back| back.contains(one));
        let circle: BTreeSet<&PathBuf> = reach.iter().copied().filter(is_around).collect();
        told.extend(circle.iter().copied());
        let inside = circle.iter().flat_map(|from| boxes[*from].iter()).filter(|(to, _)| circle.contains(to));
        let arrows: Vec<&str> = inside.flat_map(|(_, arrows)| arrows.iter().map(String::as_str)).collect();
        let names: Vec<String> = circle.iter().map(|one| one.display().to_string()).collect();
        circles.push(format!("{}\n{}\n", names.join(", "), arrows.join("\n")));
    }
    circles
}

/// Every box that can be reached from this one by one arrow or more.
fn reached<'a>(boxes: &'a Boxes, from: &PathBuf) -> BTreeSet<&'a PathBuf> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&PathBuf> = boxes.get(from).into_iter().flat_map(BTreeMap::keys).collect();
    while let Some(one) = open.pop() {
        if found.insert(one) {
            open.extend(boxes.get(one).into_iter().flat_map(BTreeMap::keys));
        }
    }
    found
}

fn planted(files: &[(&str, &str)]) -> Vec<String> {
    circles(&files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect(), "lib.rs")
}

#[test]
fn a_circle_of_two_files_is_found_however_it_is_spelled() {
    let lib = ("lib.rs", "mod one; mod two; mod three { }");
    for (one, two) in [
        ("use crate::two::B;", "use crate::one::A;"),
        ("use super::two::{B as Other};", "pub struct B; fn a() -> super::one::A {}"),
        ("use super::{two::{self, C}};", "use super::one; fn a() { one::a(); }"),
        ("use crate::two::*;", "use super::one::*;"),
        ("use crate::two; fn b() { two::b::<u8>(); }", "pub fn b() { println!(\"{}\", crate::one::A) }"),
    ] {
        let found = planted(&[lib, ("one.rs", one), ("two.rs", two)]);
        assert_eq!(found.len(), 1, "{one} and {two}: {found:?}");
        assert!(found[0].starts_with("one, two\n"), "{found:?}");
    }
}

#[test]
fn a_child_may_use_the_parent_that_uses_it() {
    let lib = ("lib.rs", "pub mod room;");
    let room = ("room/mod.rs", "mod child; use child::Item; pub struct Station(Item);");
    let (child, deep) =
        (("room/child.rs", "use super::Station; pub struct Item; mod deep;"), ("room/child/deep.rs", "use super::super::Station;"));
    assert_eq!(planted(&[lib, room, child, deep]), [""; 0]);
}

#[test]
fn a_name_that_is_handed_on_leads_to_the_file_that_defines_it() {
    let lib = ("lib.rs", "pub mod room; mod other;");
    let room = ("room/mod.rs", "mod a; mod b; pub use a::{Item, show}; pub(crate) use b::Other;");
    let b = ("room/b.rs", "use super::Item; pub struct Other;");
    let other = ("other.rs", "use crate::room::{Item as It, show}; pub struct There;");
    assert_eq!(planted(&[lib, room, ("room/a.rs", "pub struct Item; pub fn show() {}"), b, other]), [""; 0]);
    let circle = planted(&[lib, room, ("room/a.rs", "use crate::other::There; pub struct Item; pub fn show() {}"), b, other]);
    assert!(circle.len() == 1 && circle[0].starts_with("other, room\n"), "{circle:?}");
}

#[test]
fn two_folders_that_use_each_other_are_a_circle_although_no_two_of_their_files_do() {
    let lib = ("lib.rs", "mod low; mod high;");
    let (low, high) = (("low/mod.rs", "mod a; mod b;"), ("high/mod.rs", "mod c; mod d;"));
    let files =
        |a| planted(&[lib, low, high, ("low/a.rs", a), ("low/b.rs", ""), ("high/c.rs", "use crate::low::b::B;"), ("high/d.rs", "")]);
    assert_eq!(files(""), [""; 0]);
    let found = files("use crate::high::d::D;");
    assert!(found.len() == 1 && found[0].starts_with("high, low\n"), "{found:?}");
}

#[test]
fn what_only_tests_import_is_no_circle() {
    let lib = ("lib.rs", "mod one; mod two; #[cfg(test)] mod testing;");
    let one = ("one.rs", "use super::two::B; #[cfg(test)] use super::testing::{x, y}; pub struct A;");
    let two = ("two.rs", "pub struct B; #[cfg(test)] mod tests { use super::super::one::A; } #[cfg(test)] fn a() -> crate::one::A {}");
    assert_eq!(planted(&[lib, one, two]), [""; 0]);
}
