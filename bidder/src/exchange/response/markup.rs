//! Markup with holes for the URLs of one bid, escaped for JSON once.

use super::Urls;
use super::text::{escape, is_plain_url};

/// Where a click leads through us.
pub const CLICK_URL: &str = "${CLICK_URL}";
/// Where the view is reported.
pub const VIEW_URL: &str = "${VIEW_URL}";

/// What is appended to markup that does not report its view.
const VIEW_PIXEL: &str = r#"<img src="${VIEW_URL}" width="1" height="1" alt="" style="display:none">"#;

/// Markup as it stands in a JSON string, cut at its holes.
#[derive(Debug)]
pub(super) struct Markup {
    escaped: Box<[u8]>,
    /// Where a URL is inserted, ascending.
    holes: Box<[(usize, Hole)]>,
}

#[derive(Clone, Copy, Debug)]
enum Hole {
    Click,
    View,
}

impl Hole {
    fn url<'u>(self, urls: &Urls<'u>) -> &'u str {
        match self {
            Self::Click => urls.click,
            Self::View => urls.view,
        }
    }
}

impl Markup {
    pub(super) fn compile(markup: &str) -> Self {
        let mut compiled = (Vec::new(), Vec::new());
        cut(markup, &mut compiled);
        if !markup.contains(VIEW_URL) {
            cut(VIEW_PIXEL, &mut compiled);
        }
        let (escaped, holes) = compiled;
        Self { escaped: escaped.into(), holes: holes.into() }
    }

    /// The bytes that [`Markup::write`] appends.
    pub(super) fn bytes(&self, urls: &Urls<'_>) -> usize {
        self.escaped.len() + self.holes.iter().map(|(_, hole)| hole.url(urls).len()).sum::<usize>()
    }

    /// Appends the markup with its URLs.
    pub(super) fn write(&self, out: &mut Vec<u8>, urls: &Urls<'_>) {
        assert!(is_plain_url(urls.click) && is_plain_url(urls.view), "a URL in markup must be plain");
        let mut from = 0;
        for (at, hole) in &self.holes {
            out.extend_from_slice(&self.escaped[from..*at]);
            out.extend_from_slice(hole.url(urls).as_bytes());
            from = *at;
        }
        out.extend_from_slice(&self.escaped[from..]);
    }
}

fn cut(mut markup: &str, (escaped, holes): &mut (Vec<u8>, Vec<(usize, Hole)>)) {
    while let Some(at) = markup.find("${") {
        let hole = [(CLICK_URL, Hole::Click), (VIEW_URL, Hole::View)];
        match hole.into_iter().find(|(name, _)| markup[at..].starts_with(name)) {
            Some((name, hole)) => {
                escape(escaped, &markup[..at]);
                holes.push((escaped.len(), hole));
                markup = &markup[at + name.len()..];
            }
            // A macro of the exchange, or text that only looks like one.
            None => {
                escape(escaped, &markup[..at + 2]);
                markup = &markup[at + 2..];
            }
        }
    }
    escape(escaped, markup);
}
