//! Where files are fetched from: two hubs and their mirrors, by plain URLs. Which further hosts a hub may send on to is told here.
//!
//! The forms: <https://huggingface.co/docs/hub/models-downloading> and <https://modelscope.cn/docs/models/download>.

use std::fmt;
use std::str::FromStr;

use http::Uri;

use super::Error;

/// A place that files are fetched from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    /// <https://huggingface.co>
    #[default]
    HuggingFace,
    /// <https://modelscope.cn>
    ModelScope,
    /// Another host with the paths of Hugging Face; its address without a slash at the end.
    Mirror(String),
}

impl fmt::Display for Source {
    /// As it is read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::HuggingFace => "huggingface",
            Source::ModelScope => "modelscope",
            Source::Mirror(url) => url,
        })
    }
}

impl FromStr for Source {
    type Err = Error;

    /// `huggingface`, `modelscope` or the URL of a mirror.
    fn from_str(text: &str) -> Result<Source, Error> {
        match text.trim().to_ascii_lowercase().as_str() {
            "huggingface" | "hf" => return Ok(Source::HuggingFace),
            "modelscope" => return Ok(Source::ModelScope),
            _ => {}
        }
        let url = text.trim().trim_end_matches('/');
        let bad = |reason: &str| Error::BadUrl { url: text.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|_| bad("write huggingface, modelscope or the https:// URL of a mirror"))?;
        egress::Origin::of(&uri).map_err(|_| bad("write huggingface, modelscope or the https:// URL of a mirror"))?;
        if uri.query().is_some() {
            return Err(bad("a mirror has no query"));
        }
        Ok(Source::Mirror(url.to_owned()))
    }
}

impl Source {
    /// Who is asked when `uri` is.
    pub(super) fn of(uri: &Uri) -> Source {
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        match host.as_str() {
            "huggingface.co" | "www.huggingface.co" => Source::HuggingFace,
            "modelscope.cn" | "www.modelscope.cn" => Source::ModelScope,
            _ => Source::Mirror(uri.authority().map(ToString::to_string).unwrap_or_default()),
        }
    }

    /// The address of a file of `repo` (`ORG/REPO`).
    pub fn url(&self, repo: &str, file: &str) -> String {
        match self {
            Source::HuggingFace => format!("https://huggingface.co/{repo}/resolve/main/{file}"),
            Source::ModelScope => format!("https://modelscope.cn/models/{repo}/resolve/master/{file}"),
            Source::Mirror(base) => format!("{base}/{repo}/resolve/main/{file}"),
        }
    }

    /// Whether it keeps its files at this host: where it sends on to is trusted as it is.
    pub(super) fn stores_at(&self, host: &str) -> bool {
        let within = |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        match self {
            Source::HuggingFace => within("huggingface.co") || within("hf.co"),
            Source::ModelScope => within("modelscope.cn") || within("aliyuncs.com"),
            Source::Mirror(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hubs_and_mirrors() {
        for (text, url) in [
            ("huggingface", "https://huggingface.co/o/r/resolve/main/f.gguf"),
            ("ModelScope", "https://modelscope.cn/models/o/r/resolve/master/f.gguf"),
            ("https://hf-mirror.com/", "https://hf-mirror.com/o/r/resolve/main/f.gguf"),
            ("http://10.0.0.7:8080/hub", "http://10.0.0.7:8080/hub/o/r/resolve/main/f.gguf"),
        ] {
            assert_eq!(text.parse::<Source>().expect(text).url("o/r", "f.gguf"), url);
        }
        for wrong in ["", "ollama", "ftp://x", "https://u:p@x", "https://x/?token=1", "//x"] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn files_are_stored_at_hosts_of_the_hub_alone() {
        for (host, stored) in [
            ("cas-bridge.xethub.hf.co", true),
            ("cdn-lfs-us-1.huggingface.co", true),
            ("huggingface.co.evil.example", false),
            ("nothuggingface.co", false),
            ("169.254.169.254", false),
        ] {
            assert_eq!(Source::HuggingFace.stores_at(host), stored, "{host}");
        }
        assert!(Source::ModelScope.stores_at("cdn-lfs-cn-1.modelscope.cn"));
        assert!(!Source::Mirror("https://a".into()).stores_at("a"));
    }
}
