//! What can be fetched by name (`catalog/gguf.toml`): which file of which repository. Licence, context and sizes are its family's.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::{Error, Facts, Room};
use crate::family::{self, Family, Model};

/// The quantisation that is taken where nobody says: small, and hardly worse than the whole model.
const USUAL: &str = "Q4_K_M";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    file: Vec<Title>,
}

/// One model of the catalogue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Title {
    /// What it is asked for by.
    name: String,
    /// Its name in `catalog/models`.
    model: String,
    /// `ORG/REPO`, the same at each hub.
    repo: String,
    /// The file, with `{quant}` for the quantisation.
    file: String,
    /// SHA-256 by quantisation, where it is known beforehand.
    #[serde(default)]
    sha256: BTreeMap<String, String>,
}

/// A model of the catalogue in one quantisation, measured against this machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Offer {
    /// What it is asked for by, without the quantisation.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// `Q4_K_M`
    pub quant: String,
    /// Its licence.
    pub licence: String,
    /// Where the licence is.
    pub licence_url: String,
    /// Tokens it was made for.
    pub context: u32,
    /// `ORG/REPO`
    pub repo: String,
    /// The file there.
    pub file: String,
    /// Bytes of the file, as its family's page says; the server has the last word.
    pub bytes: u64,
    /// SHA-256, where it is known beforehand.
    pub sha256: Option<String>,
    /// What it takes of this machine.
    pub room: Room,
    /// Whether that is there.
    pub fits: bool,
    /// The largest one that fits: what this machine is best used for.
    pub recommended: bool,
}

fn titles() -> &'static [Title] {
    static ALL: OnceLock<Vec<Title>> = OnceLock::new();
    let read = || toml::from_str::<Catalogue>(include_str!("../../../../catalog/gguf.toml"));
    // The file is read by a test; one that cannot be read would only be empty.
    ALL.get_or_init(|| read().map(|catalogue| catalogue.file).unwrap_or_default())
}

fn model(name: &str) -> Option<(&'static Family, &'static Model)> {
    let all = family::families().iter().flat_map(|family| family.models.iter().map(move |model| (family, model)));
    all.into_iter().find(|(_, model)| model.name == name)
}

/// Everything on offer, the smallest first, reckoned with `context` tokens and `free` bytes of memory.
pub fn offers(context: Option<u32>, free: Option<u64>) -> Vec<Offer> {
    let mut all: Vec<Offer> = titles().iter().flat_map(|title| offers_of(title, context, free)).collect();
    all.sort_by_key(|offer| offer.bytes);
    let best = all.iter().rposition(|offer| offer.fits && offer.quant == USUAL && offer.room.free.is_some());
    if let Some(best) = best {
        all[best].recommended = true;
    }
    all
}

fn offers_of(title: &Title, context: Option<u32>, free: Option<u64>) -> Vec<Offer> {
    let Some((family, model)) = model(&title.model) else { return Vec::new() };
    let quantised = model.sizes.iter().filter(|(quant, _)| quant.starts_with('Q'));
    let offer = |(quant, bytes): (&String, &u64)| {
        let facts = Facts {
            context: model.context,
            weight_bytes: *bytes,
            kv_bytes_per_token: model.kv_bytes().unwrap_or(0),
            ..Facts::default()
        };
        let room = Room::of(&facts, context, free);
        Offer {
            name: title.name.clone(),
            title: model.name.clone(),
            quant: quant.clone(),
            licence: model.licence.clone().unwrap_or_else(|| family.licence.clone()),
            licence_url: family.licence_url.clone(),
            context: model.context,
            repo: title.repo.clone(),
            file: title.file.replace("{quant}", quant),
            bytes: *bytes,
            sha256: title.sha256.get(quant).cloned(),
            room,
            fits: room.fits(),
            recommended: false,
        }
    };
    quantised.map(offer).collect()
}

/// What `NAME` or `NAME:QUANT` stands for.
pub fn find(wanted: &str, context: Option<u32>, free: Option<u64>) -> Result<Offer, Error> {
    let (name, quant) = match wanted.split_once(':') {
        Some((name, quant)) => (name, Some(quant.to_ascii_uppercase())),
        None => (wanted, None),
    };
    let title = titles().iter().find(|title| title.name.eq_ignore_ascii_case(name));
    let mut offers = title.map(|title| offers_of(title, context, free)).unwrap_or_default();
    if offers.is_empty() {
        return Err(Error::NotOffered { name: wanted.to_owned() });
    }
    let meant = match &quant {
        Some(quant) => offers.iter().position(|offer| offer.quant == *quant),
        None => Some(offers.iter().position(|offer| offer.quant == USUAL).unwrap_or(0)),
    };
    match meant {
        Some(at) => Ok(offers.swap_remove(at)),
        None => Err(Error::NoSuchQuantisation {
            name: name.to_owned(),
            quant: quant.unwrap_or_default(),
            offered: offers.iter().map(|offer| offer.quant.as_str()).collect::<Vec<_>>().join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::{Source, shelf};

    #[test]
    fn every_title_has_a_family_a_size_and_an_address() {
        let catalogue: Catalogue = toml::from_str(include_str!("../../../../catalog/gguf.toml")).expect("it is read");
        assert_eq!(titles(), catalogue.file);
        for title in titles() {
            let offers = offers_of(title, None, None);
            assert!(!offers.is_empty(), "{}: {} has no quantised size", title.name, title.model);
            for offer in offers {
                let url = Source::HuggingFace.url(&offer.repo, &offer.file);
                let host = url.parse::<http::Uri>().expect("a URL").host().map(str::to_owned);
                assert_eq!(host.as_deref(), Some("huggingface.co"));
                shelf::file_name(&offer.file).expect("a file name");
                assert!(offer.bytes < 50_000_000_000 && offer.room.cache > 0, "{}", offer.file);
                assert!(offer.sha256.as_deref().is_none_or(|sha| super::super::digest::parse(sha).is_some()));
            }
        }
    }

    #[test]
    fn names_with_and_without_a_quantisation() {
        let found = find("Qwen2.5-7b", None, None).expect("there");
        assert_eq!((found.quant.as_str(), found.file.as_str()), ("Q4_K_M", "Qwen2.5-7B-Instruct-Q4_K_M.gguf"));
        assert_eq!(find("qwen2.5-7b:q8_0", None, None).expect("there").bytes, 8_098_525_888);
        let none = find("qwen2.5-7b:q3_k", None, None).expect_err("not there");
        assert_eq!(none.to_string(), "qwen2.5-7b is not offered as Q3_K; there is Q4_K_M, Q8_0");
        assert_eq!(find("gpt-4", None, None).expect_err("not there").code(), "not_offered");
    }

    #[test]
    fn what_this_machine_is_best_used_for() {
        let named = |free| {
            let all = offers(None, free);
            all.into_iter().find(|offer| offer.recommended).map(|offer| offer.title)
        };
        assert_eq!(named(Some(100 << 20)), None);
        assert_eq!(named(None), None);
        let on_16_gib = offers(None, Some(16 << 30));
        let best = on_16_gib.iter().find(|offer| offer.recommended).expect("one");
        assert!(best.fits && best.bytes > 8_000_000_000, "{best:?}");
    }
}
