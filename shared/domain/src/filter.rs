//! Which opportunities a list shows.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::fault::Flaw;
use crate::opportunity::{Actor, Opportunity, Outcome, QualificationName, Stage, words};
use crate::text::{CampaignId, CrmId};
use crate::time::Timestamp;

words!(
    /// The lists there are.
    Tab {
        /// What was received.
        Inbound = "inbound",
        /// What was created.
        Outbound = "outbound",
        /// What the user marked, of both.
        Favorites = "favorites",
    }
);

/// What a list is narrowed to; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this stage.
    pub stage: Option<Stage>,
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// Only of this qualification.
    pub qualification: Option<QualificationName>,
    /// Only with this text in it.
    pub text: Option<SearchText>,
    /// Only of this campaign.
    pub campaign_id: Option<CampaignId>,
    /// Only with this CRM id.
    pub crm_id: Option<CrmId>,
    /// Only what changed at this instant or later.
    pub updated_since: Option<Timestamp>,
}

/// A text to look for: at least three characters, regardless of case, accents and width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText(String);

impl SearchText {
    /// The text, folded; or that it is too short.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        if text.trim().chars().nth(2).is_none() {
            return Err(Flaw::new("tooShort", "must have at least 3 characters"));
        }
        Ok(Self(fold(text.trim())))
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_in(&self, text: &str) -> bool {
        fold(text).contains(&self.0)
    }
}

impl Filter {
    /// Whether the list shows the opportunity to this person.
    pub fn shows(&self, view: &Opportunity, to: &Actor) -> bool {
        let standing = view.standing();
        view.is_open_to(to)
            && self.stage.is_none_or(|stage| stage == standing.stage)
            && self.outcome.is_none_or(|outcome| Some(outcome) == standing.outcome)
            && self.qualification.is_none_or(|name| name == view.qualification.name())
            && self
                .campaign_id
                .as_ref()
                .is_none_or(|id| view.campaign_id.as_ref() == Some(id))
            && self.crm_id.as_ref().is_none_or(|id| view.crm_id.as_ref() == Some(id))
            && self.updated_since.is_none_or(|since| view.updated_at >= since)
            && self.text.as_ref().is_none_or(|text| {
                let crm_id = view.crm_id.as_ref().map_or("", CrmId::as_str);
                let places = [
                    view.name.as_str(),
                    view.customer.name.as_str(),
                    view.deal.as_str(),
                    crm_id,
                ];
                places.into_iter().any(|place| text.is_in(place))
            })
    }
}

/// Text as people compare it: compatibility forms and widths are one (NFKD), accents and case do not count.
pub fn fold(text: &str) -> String {
    // Upper case first: it takes apart what lower case leaves together, such as ß.
    text.nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_width_do_not_count() {
        for (text, within) in [
            ("SOCIETE", "Société Générale"),
            ("général", "societe GENERALE"),
            ("muller", "Karl Müller KG"),
            ("strasse", "Hauptstraße"),
            ("abc", "ＡＢＣ Corp"),
            ("日本電", "日本電気"),
        ] {
            assert!(
                SearchText::parse(text).expect("long enough").is_in(within),
                "{text} in {within}"
            );
        }
        assert!(!SearchText::parse("adatum").expect("long enough").is_in("Atadum"));
    }

    #[test]
    fn a_search_needs_three_characters() {
        assert!(SearchText::parse("3 m").is_ok());
        for short in ["", "ab", "  ab  ", "日本"] {
            assert_eq!(
                SearchText::parse(short).map_err(|flaw| flaw.code),
                Err("tooShort"),
                "{short}"
            );
        }
    }
}
