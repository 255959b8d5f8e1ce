//! YAML 1.2 to a tree in which every node knows its place.
//!
//! Scalars stay text: whoever reads a field knows what it should be, so `country: NO` is a country and a price never
//! passes through floating point. Nesting is bounded, and so is what aliases add.

use std::collections::BTreeMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::limits::{ALIASES_EXPAND_MAX, NESTING_MAX, VALUES_MAX};
use crate::problem::{Place, Problems};

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
    /// Nodes plus bytes of text in it, aliases followed.
    weight: usize,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, whatever it may mean.
    Scalar(String),
    /// A sequence.
    List(Vec<Rc<Node>>),
    /// A mapping. Each key stands in it once.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Rc<Node>,
}

/// Reads the documents of file number `file`; what is wrong with its YAML is noted. Returns the documents up to the
/// first error of syntax, and whether there was none. `values` counts up to [`VALUES_MAX`] over all files of a set.
pub(crate) fn documents(file: usize, text: &str, values: &mut usize, problems: &Problems) -> (Vec<Rc<Node>>, bool) {
    let (documents, open, anchors) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut tree = Tree { file, problems, values, documents, open, anchors, added: 0 };
    for event in Parser::new_from_str(text) {
        let outcome = match event {
            Ok((event, span)) => tree.take(event, span),
            Err(error) => {
                let at = error.marker();
                Err((tree.place(at.line(), at.col()), error.info().to_owned()))
            }
        };
        if let Err((place, message)) = outcome {
            problems.push(place, "", message);
            return (tree.documents, false);
        }
    }
    (tree.documents, true)
}

/// The tree while it grows.
struct Tree<'a> {
    file: usize,
    problems: &'a Problems,
    values: &'a mut usize,
    documents: Vec<Rc<Node>>,
    /// Lists and maps that have not ended, outermost first.
    open: Vec<Open>,
    anchors: BTreeMap<usize, Rc<Node>>,
    /// What aliases added so far.
    added: usize,
}

struct Open {
    place: Place,
    anchor: usize,
    weight: usize,
    content: Content,
}

enum Content {
    List(Vec<Rc<Node>>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// Keys with their lines.
    seen: BTreeMap<String, usize>,
    /// The key that waits for its value; `None` inside for one that is refused, so that its value is left out.
    key: Option<(Option<String>, Place)>,
}

impl Tree<'_> {
    fn place(&self, line: usize, column_from_0: usize) -> Place {
        Place { file: self.file, line, column: column_from_0 + 1 }
    }

    /// Takes one event of the parser. An error ends the file.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), (Place, String)> {
        let place = self.place(span.start.line(), span.start.col());
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(tag.is_some(), place)?;
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let weight = 1 + text.len();
                let value = if null { Value::Null } else { Value::Scalar(text.into_owned()) };
                self.add(anchor, Node { place, value, weight });
            }
            Event::SequenceStart(anchor, tag) => {
                self.count(tag.is_some(), place)?;
                self.open(place, anchor, Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.count(tag.is_some(), place)?;
                self.open(place, anchor, Content::Map(OpenMap::default()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(place, anchor)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn count(&mut self, tagged: bool, place: Place) -> Result<(), (Place, String)> {
        if *self.values == VALUES_MAX {
            return Err((place, format!("files with at most {VALUES_MAX} values can be applied at once")));
        }
        *self.values += 1;
        if tagged {
            self.problems.push(place, "", "tags such as `!!str` are not used here: write the value alone");
        }
        Ok(())
    }

    fn open(&mut self, place: Place, anchor: usize, content: Content) -> Result<(), (Place, String)> {
        if self.open.len() == NESTING_MAX {
            return Err((place, format!("lists and maps may be nested {NESTING_MAX} levels deep")));
        }
        self.open.push(Open { place, anchor, weight: 1, content });
        Ok(())
    }

    fn close(&mut self) {
        if let Some(Open { place, anchor, weight, content }) = self.open.pop() {
            let value = match content {
                Content::List(nodes) => Value::List(nodes),
                Content::Map(map) => Value::Map(map.entries),
            };
            self.add(anchor, Node { place, value, weight });
        }
    }

    fn alias(&mut self, place: Place, anchor: usize) -> Result<(), (Place, String)> {
        let Some(node) = self.anchors.get(&anchor).map(Rc::clone) else {
            return Err((place, "an alias must not stand inside what it stands for".to_owned()));
        };
        self.added = self.added.saturating_add(node.weight);
        if self.added > ALIASES_EXPAND_MAX {
            return Err((place, "the aliases of this file add too much: write the values out".to_owned()));
        }
        self.put(place, node);
        Ok(())
    }

    fn add(&mut self, anchor: usize, node: Node) {
        let (place, node) = (node.place, Rc::new(node));
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.put(place, node);
    }

    /// Puts a finished node where it belongs: into the innermost list or map, or beside the other documents.
    fn put(&mut self, place: Place, node: Rc<Node>) {
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return;
        };
        open.weight = open.weight.saturating_add(node.weight);
        match &mut open.content {
            Content::List(nodes) => nodes.push(node),
            Content::Map(map) => match map.key.take() {
                None => map.key = Some((map.accept(place, &node, self.problems), place)),
                Some((Some(key), place)) => map.entries.push(Entry { key, place, value: node }),
                Some((None, _)) => {}
            },
        }
    }
}

impl OpenMap {
    /// The key that `node` is; `None` where it is none, or stands here already.
    fn accept(&mut self, place: Place, node: &Node, problems: &Problems) -> Option<String> {
        let Value::Scalar(key) = &node.value else {
            problems.push(place, "", "a key must be a word");
            return None;
        };
        if let Some(line) = self.seen.insert(key.clone(), place.line) {
            problems.push(place, key, format!("stands twice here, first in line {line}"));
            return None;
        }
        Some(key.clone())
    }
}

#[cfg(test)]
mod tests;
