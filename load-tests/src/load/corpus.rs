//! What is asked: requests that are ready to be sent but for what differs each time, their id and their person.

use std::io::{self, Error, Write};
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::RngExt;
use rand::rngs::SmallRng;

use super::target::Target;
use super::wire;
use crate::exchange::request::{Asked, Requests};
use crate::world;

/// Requests of each kind that are prepared; more would ask nothing new.
const PREPARED: u32 = 1_024;

/// Where requests come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Of [`world`], about 2 KB, for so many people.
    World { people: u32 },
    /// Of the simulated exchange: small ones with privacy signals, a third of them compressed.
    Exchange,
    /// Documents of files, one a line, such as requests that were published: sent as they are.
    Lines(Vec<Bytes>),
}

impl Source {
    /// The documents of the files `*.jsonl` in a folder whose names do not say that they are broken.
    ///
    /// # Errors
    /// The folder or a file cannot be read, or has none.
    pub(crate) fn folder(folder: &Path) -> io::Result<Self> {
        let mut lines = Vec::new();
        let mut files: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
        files.sort_by_key(std::fs::DirEntry::file_name);
        for file in files {
            let name = file.file_name().to_string_lossy().into_owned();
            let broken = ["invalid", "unparsable", "malformed"].iter().any(|word| name.contains(word));
            if name.ends_with(".jsonl") && !broken {
                let text = std::fs::read_to_string(file.path())?;
                lines.extend(text.lines().map(|line| Bytes::copy_from_slice(line.as_bytes())));
            }
        }
        if lines.is_empty() {
            Err(Error::other(format!("{}: no requests", folder.display())))
        } else {
            Ok(Self::Lines(lines))
        }
    }
}

/// A request that is ready.
#[derive(Debug)]
pub(super) struct Prepared {
    bytes: Vec<u8>,
    /// Where its id is, sixteen digits.
    id: Option<Range<usize>>,
    /// Where its person's id is.
    person: Option<Range<usize>>,
    /// What is known of it, if anything is.
    pub(super) asked: Option<Asked>,
}

/// Requests of several sources, each with its share.
#[derive(Debug)]
pub(super) struct Corpus {
    /// The sum of shares up to and with each source's own.
    until: Vec<f64>,
    kinds: Vec<Vec<Prepared>>,
    people: u32,
}

/// One request that is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Pick {
    kind: usize,
    number: usize,
    id: u64,
    person: u32,
}

impl Corpus {
    pub(super) fn new(sources: &[(Source, f64)], target: &Target, seed: u64) -> Self {
        let mut sum = 0.0;
        let until = sources.iter().map(|(_, share)| {
            sum += share;
            sum
        });
        let until = until.collect();
        let kinds = sources.iter().map(|(source, _)| prepare(source, target, seed)).collect();
        let people = sources.iter().find_map(|(source, _)| match source {
            Source::World { people } => Some(*people),
            _ => None,
        });
        Self { until, kinds, people: people.unwrap_or(1).max(1) }
    }

    /// The next request. The square of a uniform number makes some people far more active than others.
    pub(super) fn pick(&self, random: &mut SmallRng) -> Pick {
        let at = random.random::<f64>() * self.until.last().copied().unwrap_or_default();
        let kind = self.until.partition_point(|until| *until <= at).min(self.kinds.len() - 1);
        let number = random.random_range(0..self.kinds[kind].len());
        let person = (random.random::<f64>().powi(2) * f64::from(self.people)) as u32;
        Pick { kind, number, id: random.random(), person }
    }

    pub(super) fn prepared(&self, pick: &Pick) -> &Prepared {
        &self.kinds[pick.kind][pick.number]
    }

    /// Appends the bytes of a request.
    pub(super) fn write(&self, pick: &Pick, out: &mut Vec<u8>) {
        let prepared = self.prepared(pick);
        let start = out.len();
        out.extend_from_slice(&prepared.bytes);
        let mut put = |place: &Option<Range<usize>>, text: &str| {
            if let Some(place) = place {
                out[start + place.start..start + place.end].copy_from_slice(text.as_bytes());
            }
        };
        put(&prepared.id, &format!("{:016x}", pick.id));
        put(&prepared.person, &world::person_id(pick.person));
    }

    /// What was asked, if that is known.
    pub(super) fn asked(&self, pick: &Pick) -> Option<Asked> {
        let prepared = self.prepared(pick);
        let mut asked = prepared.asked.clone()?;
        if prepared.id.is_some() {
            asked.id = format!("{:016x}", pick.id);
        }
        Some(asked)
    }
}

fn prepare(source: &Source, target: &Target, seed: u64) -> Vec<Prepared> {
    match source {
        Source::World { .. } => (0..PREPARED)
            .map(|number| {
                let asked = world::request(number, 0);
                let bytes = request(target, "x-openrtb-version: 2.5\r\n", &asked.body);
                let id = find(&bytes, &asked.id);
                let person = find(&bytes, &world::person_id(0));
                Prepared { bytes, id, person, asked: Some(asked) }
            })
            .collect(),
        Source::Exchange => {
            let mut requests = Requests::new(seed, 1_000, |number| format!("person-{number}"));
            let prepared = |asked: Asked| {
                let bytes = if asked.gzip {
                    request(target, "content-encoding: gzip\r\n", &gzip(&asked.body))
                } else {
                    request(target, "", &asked.body)
                };
                Prepared { bytes, id: None, person: None, asked: Some(asked) }
            };
            (0..PREPARED).map(|_| prepared(requests.next_request())).collect()
        }
        Source::Lines(lines) => {
            let bare =
                |line: &Bytes| Prepared { bytes: request(target, "", line), id: None, person: None, asked: None };
            lines.iter().map(bare).collect()
        }
    }
}

fn request(target: &Target, fields: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = wire::post(&target.path, &target.host, fields, body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.expect("memory takes what is written")
}

fn find(bytes: &[u8], text: &str) -> Option<Range<usize>> {
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes())?;
    Some(at..at + text.len())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn target() -> Target {
        Target::new("http://127.0.0.1:1/bid/load").unwrap()
    }

    #[test]
    fn each_request_has_its_own_id_and_person_and_nothing_else_is_new() {
        let corpus = Corpus::new(&[(Source::World { people: 500 }, 1.0)], &target(), 1);
        let mut random = SmallRng::seed_from_u64(1);
        for _ in 0..200 {
            let pick = corpus.pick(&mut random);
            let (mut out, asked) = (Vec::new(), corpus.asked(&pick).unwrap());
            corpus.write(&pick, &mut out);
            let text = String::from_utf8(out).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
            let parsed: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!((&parsed["id"], asked.imps.len()), (&asked.id.into(), 2));
            assert_eq!(parsed["user"]["id"], world::person_id(pick.person));
        }
    }

    #[test]
    fn sources_have_their_shares() {
        let lines = Source::Lines(vec![Bytes::from_static(b"{}")]);
        let corpus = Corpus::new(&[(lines, 1.0), (Source::Exchange, 3.0)], &target(), 1);
        let mut random = SmallRng::seed_from_u64(1);
        let lines = (0..10_000).filter(|_| corpus.pick(&mut random).kind == 0).count();
        assert!((2_300..2_700).contains(&lines), "{lines}");
    }
}
