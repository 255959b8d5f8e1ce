//! From the tree of a document to the nouns of the stream. Every reader notes what is wrong and goes on with a
//! stand-in that causes no further problem, so that one round trip lists everything.

use std::rc::Rc;

use crate::answer::Kind;
use crate::problem::{Place, Problems, did_you_mean};
use crate::yaml::{Entry, Node, Value};

mod advertiser;
mod campaign;
mod creative;
mod scalar;
mod segment;
mod targeting;

pub(crate) use advertiser::advertiser;
pub(crate) use campaign::campaign;
pub(crate) use segment::segment;

/// Files name a thing by its kind: `creative: boots`, not `name: boots`.
const NAME_KEYS: [&str; 3] = ["campaign", "creative", "variant"];

/// A place in a document: the node there and the path that leads to it.
#[derive(Clone)]
pub(crate) struct At<'a> {
    node: &'a Node,
    path: String,
    problems: &'a Problems,
}

impl<'a> At<'a> {
    /// The root of a document.
    pub(crate) fn root(node: &'a Node, problems: &'a Problems) -> Self {
        Self { node, path: String::new(), problems }
    }

    /// Where in its file it is.
    pub(crate) fn place(&self) -> Place {
        self.node.place
    }

    /// Notes a problem here.
    pub(crate) fn problem(&self, message: impl Into<String>) {
        self.problems.push(self.node.place, &self.path, message);
    }

    /// Notes that `word` stands here and is none of `candidates`.
    pub(crate) fn unknown<'c>(&self, what: &str, word: &str, candidates: impl IntoIterator<Item = &'c str>) {
        let hint = self.problems.suggest(word, candidates);
        self.problem(format!("no {what} `{word}`{hint}"));
    }

    /// The kind of the document here, and where its name stands. What is wrong is noted; `None` then.
    pub(crate) fn kind(&self) -> Option<(Kind, At<'a>)> {
        let Value::Map(entries) = &self.node.value else {
            self.problem("a document must be an advertiser, a segment or a campaign");
            return None;
        };
        let fields = Fields { at: self.clone(), entries };
        // A campaign names its advertiser, so that key comes last; a slip in `campaign` must not make it an advertiser.
        let of = |kind: Kind| fields.get(kind.label()).map(|at| (kind, at));
        if let Some(found) = of(Kind::Campaign).or_else(|| of(Kind::Segment)) {
            return Some(found);
        }
        let labels = Kind::ALL.map(Kind::label);
        for Entry { key, place, .. } in entries.iter().filter(|entry| !labels.contains(&entry.key.as_str())) {
            let hint = did_you_mean(key, labels);
            if !hint.is_empty() {
                self.problems.push(*place, key, format!("is no key here{hint}"));
                return None;
            }
        }
        let found = of(Kind::Advertiser);
        if found.is_none() {
            self.problem(format!("a document must have one of the keys {}", labels.join(", ")));
        }
        found
    }

    /// Whether nothing stands here.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// The map here, whose keys must all be among `known`.
    pub(crate) fn fields(&self, known: &[&str]) -> Option<Fields<'a>> {
        let Value::Map(entries) = &self.node.value else {
            self.problem(format!("must be a map with keys among {}", known.join(", ")));
            return None;
        };
        for Entry { key, place, .. } in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let hint = self.problems.suggest(key, known.iter().copied());
            let hint = if hint.is_empty() { format!("; known are {}", known.join(", ")) } else { hint };
            self.problems.push(*place, &join(&self.path, key), format!("is no key here{hint}"));
        }
        Some(Fields { at: self.clone(), entries })
    }

    /// The items of the list here.
    pub(crate) fn list(&self) -> Vec<At<'a>> {
        let Value::List(nodes) = &self.node.value else {
            self.problem("must be a list");
            return Vec::new();
        };
        let item =
            |(at, node): (usize, &'a Rc<Node>)| At { node, path: format!("{}[{at}]", self.path), ..self.clone() };
        nodes.iter().enumerate().map(item).collect()
    }

    /// The text here, whatever it may mean.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(text) => Some(text),
            Value::Null => {
                self.problem("has no value");
                None
            }
            Value::List(_) | Value::Map(_) => {
                self.problem("must be a single value");
                None
            }
        }
    }

    /// Whether a map stands here.
    fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// Notes what `decision` finds wrong with the document here: path and message each. What follows only from a
    /// problem that was noted after the first `since` is left out.
    fn note(&self, since: usize, found: impl Iterator<Item = (String, String)>) {
        let noted = since..self.problems.len();
        for (path, message) in found {
            let at = self.find(&path);
            if !self.problems.cover(noted.clone(), &at.path) {
                at.problem(message);
            }
        }
    }

    /// The place that `path`, as the checks of `decision` name it, leads to from here: where it ends early, the
    /// deepest one on the way, with the whole path.
    pub(crate) fn find(&self, path: &str) -> Self {
        let mut here = self.clone();
        for step in path.split('.').flat_map(|part| part.split('[')) {
            let next = match (&here.node.value, step.strip_suffix(']')) {
                (Value::List(nodes), Some(number)) => {
                    number.parse().ok().and_then(|at: usize| nodes.get(at)).map(|node| (&**node, format!("[{number}]")))
                }
                (Value::Map(entries), None) => entries
                    .iter()
                    .find(|entry| entry.key == step || (step == "name" && NAME_KEYS.contains(&entry.key.as_str())))
                    .map(|entry| (&*entry.value, entry.key.clone())),
                _ => None,
            };
            let Some((node, step)) = next else {
                return At { path: join(&self.path, path), ..here };
            };
            here = At { node, path: join(&here.path, &step), ..here };
        }
        here
    }
}

fn join(path: &str, step: &str) -> String {
    let dot = if path.is_empty() || step.is_empty() || step.starts_with('[') { "" } else { "." };
    format!("{path}{dot}{step}")
}

/// A map whose keys are known.
pub(crate) struct Fields<'a> {
    at: At<'a>,
    entries: &'a [Entry],
}

impl<'a> Fields<'a> {
    /// The value of `key`; `None` where it is left out.
    pub(crate) fn get(&self, key: &str) -> Option<At<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(At { node: &entry.value, path: join(&self.at.path, key), ..self.at.clone() })
    }

    /// The value of `key`, which must be there.
    pub(crate) fn require(&self, key: &str) -> Option<At<'a>> {
        let found = self.get(key);
        if found.is_none() {
            self.missing(key, "is missing");
        }
        found
    }

    /// Notes what is wrong with `key` being left out.
    fn missing(&self, key: &str, message: &str) {
        self.at.problems.push(self.at.node.place, &join(&self.at.path, key), message);
    }

    /// Whether there are no keys at all.
    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The items of the list at `key`; none where it is left out.
    pub(crate) fn list(&self, key: &str) -> Vec<At<'a>> {
        self.get(key).map(|at| at.list()).unwrap_or_default()
    }

    /// The keys that stand here, in order, with their values.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, At<'a>)> {
        self.entries.iter().map(|entry| {
            let path = join(&self.at.path, &entry.key);
            (entry.key.as_str(), At { node: &entry.value, path, ..self.at.clone() })
        })
    }
}

#[cfg(test)]
mod tests;
