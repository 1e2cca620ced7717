//! Where an organization wants to be told of what happens.

use serde_json::Value;

use crate::event::NoticeType;
use crate::fault::{Faults, Flaw};
use crate::form::{Fields, List};
use crate::opportunity::words;
use crate::refusal::Refusal;
use crate::text::{WebhookId, WebhookUrl};
use crate::time::Timestamp;

/// An organization has at most this many.
pub const MAX_WEBHOOKS: usize = 10;

words!(
    /// Whether a webhook is delivered to.
    WebhookStatus {
        /// It is.
        Enabled = "enabled",
        /// Its receiver said that it is gone (410).
        Disabled = "disabled",
    }
);

/// Where an organization wants to be told of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where.
    pub url: WebhookUrl,
    /// Of what; `None` for everything, what will be added one day too.
    pub event_types: Option<Vec<NoticeType>>,
    /// Whether it is delivered to.
    pub status: WebhookStatus,
    /// Since when it is registered.
    pub created_at: Timestamp,
}

impl Webhook {
    /// Whether its organization wants to be told of this there.
    pub fn wants(&self, event_type: &str) -> bool {
        let asked_for = |types: &Vec<NoticeType>| types.iter().any(|wanted| wanted.as_str() == event_type);
        self.status == WebhookStatus::Enabled && self.event_types.as_ref().is_none_or(asked_for)
    }
}

/// A webhook to be registered. Everything in it has been checked, save where its URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookForm {
    /// Where.
    pub url: WebhookUrl,
    /// Of what; `None` for everything.
    pub event_types: Option<Vec<NoticeType>>,
}

impl WebhookForm {
    /// The request, or all that is wrong with it. `leads` says what is wrong with where the URL leads.
    pub fn read(body: &Value, leads: impl Fn(&WebhookUrl) -> Result<(), Flaw>) -> Result<Self, Refusal> {
        let mut faults = Faults::default();
        let mut fields = Fields::of(body, "", &mut faults);
        let url: Option<WebhookUrl> = fields.required("url", &mut faults);
        if let Some(Err(flaw)) = url.as_ref().map(leads) {
            faults.push(flaw.at("/url"));
        }
        let types: Option<List<NoticeType, 1, 50>> = fields.optional("eventTypes", &mut faults);
        fields.finish(&mut faults);
        let event_types = match types.map(List::complete) {
            None => Some(None),
            Some(types) => types.map(Some),
        };
        if let Some(Some(types)) = &event_types {
            for (index, event_type) in types.iter().enumerate() {
                if types[..index].contains(event_type) {
                    faults.push(Flaw::new("duplicate", "is there twice").at(format!("/eventTypes/{index}")));
                }
            }
        }
        let form = url.zip(event_types).map(|(url, event_types)| Self { url, event_types });
        faults.or(form)
    }

    /// The rule: an organization has so many webhooks and no more.
    pub fn register(self, existing: usize, id: WebhookId, now: Timestamp) -> Result<Webhook, Refusal> {
        if existing >= MAX_WEBHOOKS {
            return Err(Refusal::Conflict {
                code: "tooManyWebhooks",
                message: format!(
                    "Your organization has {MAX_WEBHOOKS} webhooks, which is as many as it may; delete one."
                ),
                standing: None,
            });
        }
        Ok(Webhook {
            id,
            url: self.url,
            event_types: self.event_types,
            status: WebhookStatus::Enabled,
            created_at: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(body: &Value) -> Vec<(String, &'static str)> {
        match WebhookForm::read(body, |_| Ok(())) {
            Err(Refusal::Invalid(faults)) => faults.0.into_iter().map(|fault| (fault.pointer, fault.code)).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_url_is_needed_and_types_are_a_choice() {
        let read = |body| WebhookForm::read(&body, |_| Ok(())).expect("right");
        assert_eq!(read(json!({"url": "https://a.example/x"})).event_types, None);
        assert_eq!(
            read(json!({"url": "https://a.example/x", "eventTypes": ["Note Shared"]})).event_types,
            Some(vec![NoticeType::NoteShared])
        );
        assert_eq!(faults(&json!({})), [("/url".into(), "required")]);
        assert_eq!(
            faults(&json!({"url": "ftp://a.example"})),
            [("/url".into(), "invalidUrl")]
        );
        assert_eq!(faults(&json!({"url": "https://a b"})), [("/url".into(), "invalidUrl")]);
        let long = format!("https://a.example/{}", "x".repeat(2_031));
        assert_eq!(faults(&json!({"url": long})), [("/url".into(), "tooLong")]);
        let types = |types: Value| faults(&json!({"url": "https://a.example", "eventTypes": types}));
        assert_eq!(types(json!([])), [("/eventTypes".into(), "tooFew")]);
        assert_eq!(
            types(json!(["note shared"])),
            [("/eventTypes/0".into(), "invalidChoice")]
        );
        assert_eq!(
            types(json!(["Note Shared", "Note Shared"])),
            [("/eventTypes/1".into(), "duplicate")]
        );
        assert_eq!(
            faults(&json!({"url": "https://a.example", "secret": "mine"})),
            [("/secret".into(), "unknownField")]
        );
        let elsewhere = |_: &WebhookUrl| Err(Flaw::new("privateAddress", "is not public"));
        let refused = WebhookForm::read(&json!({"url": "https://a.example"}), elsewhere);
        assert!(matches!(refused, Err(Refusal::Invalid(_))));
    }

    #[test]
    fn ten_and_no_more() {
        let form = WebhookForm::read(&json!({"url": "https://a.example"}), |_| Ok(())).expect("right");
        let id = WebhookId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").expect("an id");
        let now = Timestamp::parse("2026-11-21T12:00:00Z").expect("an instant");
        let tenth = form.clone().register(9, id.clone(), now).expect("room");
        assert!(tenth.wants("Note Shared") && tenth.wants("Opportunity Invented"));
        assert!(matches!(
            form.register(10, id, now),
            Err(Refusal::Conflict {
                code: "tooManyWebhooks",
                ..
            })
        ));
        let disabled = Webhook {
            status: WebhookStatus::Disabled,
            ..tenth
        };
        assert!(!disabled.wants("Note Shared"));
    }
}
