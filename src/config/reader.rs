//! Reads single settings from a file and the environment, and keeps a list of everything that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// `file:line` or the name of an environment variable.
    place: String,
    /// The setting, such as `bid.listen`; empty for what concerns the whole file.
    key: String,
    message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, message } = self;
        if key.is_empty() { write!(f, "{place}: {message}") } else { write!(f, "{place}: {key}: {message}") }
    }
}

/// A setting's text and where it stands.
#[derive(Clone, Debug)]
struct Value {
    text: String,
    place: String,
}

/// The settings that were given, by key, and those that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    file: BTreeMap<String, Value>,
    /// What goes over the file.
    environment: BTreeMap<String, Value>,
    asked: BTreeSet<String>,
    /// How many tables `[[exchange]]` there are.
    tables: BTreeMap<String, usize>,
    /// Whether the file is TOML to its end: else settings may be missing that stand in it.
    whole: bool,
    problems: Vec<Problem>,
}

impl Reader {
    /// Reads `text`, the file `name`; the environment's `VERNIER_…` variables go over it.
    pub(crate) fn new(name: &str, text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut reader = Self { whole: errors.is_empty(), ..Self::default() };
        for error in errors {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            reader.problem(format!("{name}:{line}"), "", error.message());
        }
        reader.table(name, text, "", document.get_ref());
        for (variable, value) in environment {
            if let Some(rest) = variable.strip_prefix("VERNIER_") {
                // Sections have no underscore in their names, so the first one parts section and setting.
                let key = match rest.strip_prefix("RATES_") {
                    Some(currency) => format!("rates.{currency}"),
                    None => rest.to_ascii_lowercase().replacen('_', ".", 1),
                };
                reader.environment.insert(key, Value { text: value, place: format!("environment {variable}") });
            }
        }
        reader
    }

    fn table(&mut self, name: &str, text: &str, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let key = if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
            self.value(name, text, key, value);
        }
    }

    fn value(&mut self, name: &str, text: &str, key: String, value: &Spanned<DeValue<'_>>) {
        let place = format!("{name}:{}", line_of(text, value.span().start));
        let plain = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(truth) => truth.to_string(),
            DeValue::Datetime(moment) => moment.to_string(),
            DeValue::Table(table) => return self.table(name, text, &key, table),
            DeValue::Array(items) if items.iter().any(|item| matches!(item.get_ref(), DeValue::Table(_))) => {
                self.tables.insert(key.clone(), items.len());
                for (at, item) in items.iter().enumerate() {
                    self.value(name, text, format!("{key}[{at}]"), item);
                }
                return;
            }
            DeValue::Array(items) => {
                let texts = items.iter().filter_map(|item| item.get_ref().as_str().map(str::to_owned));
                let texts: Vec<String> = texts.collect();
                if texts.len() != items.len() {
                    self.problem(place.clone(), &key, "must be a list of texts");
                }
                texts.join(",")
            }
        };
        self.file.insert(key, Value { text: plain, place });
    }

    /// What holds for the setting `key`, where it is given.
    fn given(&self, key: &str) -> Option<&Value> {
        self.environment.get(key).or_else(|| self.file.get(key))
    }

    /// Whether the setting `key` is given, rightly or wrongly.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.given(key).is_some()
    }

    /// Whether nothing is wrong with `key`, given or not: only then something may follow from its value.
    pub(crate) fn is_right(&self, key: &str) -> bool {
        self.problems.iter().all(|problem| problem.key != key)
    }

    /// Whether the file was read to its end.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many tables `[[name]]` there are.
    pub(crate) fn tables(&self, name: &str) -> usize {
        self.tables.get(name).copied().unwrap_or(0)
    }

    /// The keys below `section`, such as the currencies in `[rates]`.
    pub(crate) fn keys_of(&self, section: &str) -> Vec<String> {
        let prefix = format!("{section}.");
        let keys: BTreeSet<&String> = self.file.keys().chain(self.environment.keys()).collect();
        keys.into_iter().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect()
    }

    /// The setting `key` as `read` understands it, or `default` where it is not given. What `read` refuses becomes a
    /// problem, and the default stands in so that reading can go on.
    pub(crate) fn get<T>(&mut self, key: &str, default: T, read: impl Fn(&str) -> Result<T, String>) -> T {
        self.asked.insert(key.to_owned());
        let Some(Value { text, place }) = self.given(key).cloned() else { return default };
        match read(&text) {
            Ok(value) => value,
            Err(message) => {
                self.problem(place, key, &format!("{message}, not \"{text}\""));
                default
            }
        }
    }

    /// Like [`Reader::get`], for a setting that may be left out.
    pub(crate) fn find<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.get(key, None, |text| read(text).map(Some))
    }

    /// Notes a problem with the setting `key`, or with the absence of it.
    pub(crate) fn refuse(&mut self, key: &str, message: &str) {
        let place = self.given(key).map_or_else(|| "configuration".to_owned(), |value| value.place.clone());
        self.problem(place, key, message);
    }

    /// Notes that settings contradict each other, at the first of `keys` that is given.
    pub(crate) fn refuse_together(&mut self, keys: &[&str], message: &str) {
        let at = keys.iter().find(|key| self.is_given(key)).or(keys.first());
        self.refuse(at.copied().unwrap_or_default(), message);
    }

    fn problem(&mut self, place: String, key: &str, message: &str) {
        self.problems.push(Problem { place, key: key.to_owned(), message: message.to_owned() });
    }

    /// Everything that was wrong, settings that nobody asked for included.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        for (key, value) in std::mem::take(&mut self.file) {
            if !self.asked.contains(&key) {
                let hint = self.near(&key, |_| true);
                self.problem(value.place, &key, &format!("there is no such setting{hint}"));
            }
        }
        for (key, value) in std::mem::take(&mut self.environment) {
            if key.starts_with("exchange.") {
                self.problem(value.place, "", "exchanges are set in the file only");
            } else if !self.asked.contains(&key) {
                // No variable spells the place in a list.
                let hint = self.near(&key, |asked| !asked.contains('['));
                self.problem(value.place, &key, &format!("there is no such setting{hint}"));
            }
        }
        // In the order of the file, then the environment.
        self.problems.sort_by_key(|problem| line_number(&problem.place));
        self.problems
    }

    /// `; did you mean KEY?` of the nearest of the settings there are that `may` be meant; empty where none is near.
    fn near(&self, key: &str, may: impl Fn(&str) -> bool) -> String {
        let near = self.asked.iter().filter(|asked| may(asked)).min_by_key(|asked| distance(asked, key));
        let near = near.filter(|near| distance(near, key) <= 3);
        near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
    }
}

/// The line of a place in a file; after all of them, what is in no file.
fn line_number(place: &str) -> usize {
    place.rsplit_once(':').and_then(|(_, line)| line.parse().ok()).unwrap_or(usize::MAX)
}

/// A whole number within bounds.
pub(crate) fn number(min: u64, max: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let number = text.parse().ok().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| format!("must be a whole number from {min} to {max}"))
    }
}

/// Truth.
pub(crate) fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}

/// One of a closed set of names.
pub(crate) fn one_of<T: Copy>(names: &'static [(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let found = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        let all = || names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("must be one of {}", all()))
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Levenshtein distance, for hints.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let cost = if left == *right { corner } else { 1 + corner.min(row[j]).min(row[j + 1]) };
            corner = row[j + 1];
            row[j + 1] = cost;
        }
    }
    row[b.len()]
}
