//! What other systems are told, and how it gets there (DESIGN section 6).
//!
//! | to change | look in |
//! |---|---|
//! | what an event says | [`Detail`] |
//! | publishing: batches, order, repetition | [`bus`] |
//! | signatures, attempts, which addresses a webhook may have | [`webhook`] |
//! | queues | [`queue`] |
//! | TLS | [`tls`] |
//!
//! One envelope for each recipient. It holds what the recipient may know and nothing else: name and value are those of its
//! own view, and a reason is there only for the inviter. That choice is the domain's ([`Notice`]); here it gets its
//! published form.
//!
//! Architecture invariant: this crate knows the domain and nothing of how events are stored.

pub mod bus;
pub mod queue;
pub mod tls;
pub mod webhook;

use domain::{DealId, Notice, OrganizationId, RegistrationNotice, Snapshot, Timestamp, UserId};
use serde::Serialize;

pub use bus::{Announcement, Bus};
pub use queue::Queues;

/// The EventBridge source of all events.
pub const SOURCE: &str = "cosell";
/// The version of [`Detail`]: grows when a consumer would have to change.
pub const VERSION: u32 = 1;

/// The detail of an event, as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    id: String,
    version: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    occurred_at: String,
    /// `null` for a recipient that has no part in the deal.
    deal_id: Option<String>,
    actor: Option<ActorDetail>,
    recipient: Recipient,
    opportunity: Option<OpportunityDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<RegistrationDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    respond_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ActorDetail {
    organization_id: String,
    user_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    organization_id: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct OpportunityDetail {
    name: String,
    customer_name: String,
    estimated_value: Option<MoneyDetail>,
    stage: &'static str,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct RegistrationDetail {
    id: String,
    organization_id: String,
    solution_id: String,
    customer_name: String,
    status: &'static str,
    reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct MoneyDetail {
    amount: String,
    currency: &'static str,
}

impl Detail {
    /// The envelope of a notice. `id` is the notice's own: it stays the same however often it is published, so that a
    /// consumer can drop repeats. No `actor` means the clock.
    pub fn of(
        id: &str,
        deal: &DealId,
        occurred_at: Timestamp,
        actor: Option<&(OrganizationId, UserId)>,
        notice: &Notice,
    ) -> Self {
        Self {
            id: id.to_owned(),
            version: VERSION,
            kind: notice.notice_type.as_str(),
            occurred_at: occurred_at.to_string(),
            deal_id: notice.opportunity.as_ref().map(|_| deal.to_string()),
            actor: actor.map(|(organization, user)| ActorDetail {
                organization_id: organization.to_string(),
                user_id: user.to_string(),
            }),
            recipient: Recipient {
                organization_id: notice.recipient.organization.to_string(),
                kind: notice.recipient.kind.as_str(),
            },
            opportunity: notice.opportunity.as_ref().map(OpportunityDetail::of),
            registration: notice.registration.as_ref().map(RegistrationDetail::of),
            respond_by: notice.respond_by.map(|at| at.to_string()),
        }
    }

    /// The EventBridge detail type.
    pub fn detail_type(&self) -> &'static str {
        self.kind
    }

    /// As it is published.
    ///
    /// # Panics
    ///
    /// Never: it has string keys and no fallible parts.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("string keys and no fallible parts")
    }
}

impl OpportunityDetail {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            name: snapshot.name.to_string(),
            customer_name: snapshot.customer_name.to_string(),
            estimated_value: snapshot.estimated_value.map(|value| MoneyDetail {
                amount: value.amount(),
                currency: value.currency(),
            }),
            stage: snapshot.stage.as_str(),
            outcome: snapshot.outcome.map(domain::Outcome::as_str),
            reason: snapshot.reason.map(domain::Reason::as_str),
        }
    }
}

impl RegistrationDetail {
    fn of(notice: &RegistrationNotice) -> Self {
        Self {
            id: notice.id.to_string(),
            organization_id: notice.organization.to_string(),
            solution_id: notice.solution.to_string(),
            customer_name: notice.customer_name.to_string(),
            status: notice.status.as_str(),
            reason: notice.reason.as_ref().map(ToString::to_string),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{CustomerName, DealName, Money, NoticeType, OrganizationKind, Outcome, Reason, Stage};
    use serde_json::json;

    use super::*;

    /// What somebody is told.
    pub(crate) fn detail() -> Detail {
        let at = Timestamp::parse("2026-11-21T09:30:00Z").expect("an instant");
        let deal = DealId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").expect("an id");
        Detail::of("01ARZ3NDEKTSV4RRFFQ69G5FAW", &deal, at, None, &notice())
    }

    fn notice() -> Notice {
        Notice {
            notice_type: NoticeType::OpportunityDeclined,
            recipient: domain::Recipient {
                organization: OrganizationId::parse("contoso").expect("an id"),
                kind: OrganizationKind::Vendor,
            },
            opportunity: Some(Snapshot {
                name: DealName::parse("ERP for Adatum").expect("a name"),
                customer_name: CustomerName::parse("Adatum").expect("a name"),
                estimated_value: Some(Money::parse("125000", "USD").expect("money")),
                stage: Stage::Archived,
                outcome: Some(Outcome::Declined),
                reason: Some(Reason::NoCapacity),
            }),
            respond_by: None,
            registration: None,
        }
    }

    #[test]
    fn the_envelope_is_the_published_contract() {
        let notice = notice();
        let actor = (
            OrganizationId::parse("fabrikam").expect("an id"),
            UserId::parse("u-1").expect("an id"),
        );
        let deal = DealId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").expect("an id");
        let at = Timestamp::parse("2026-11-21T09:30:00Z").expect("an instant");
        let detail = Detail::of("01ARZ3NDEKTSV4RRFFQ69G5FAW", &deal, at, Some(&actor), &notice);
        let expected = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAW",
            "version": 1,
            "type": "Opportunity Declined",
            "occurredAt": "2026-11-21T09:30:00.000Z",
            "dealId": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "actor": {"organizationId": "fabrikam", "userId": "u-1"},
            "recipient": {"organizationId": "contoso", "kind": "vendor"},
            "opportunity": {
                "name": "ERP for Adatum",
                "customerName": "Adatum",
                "estimatedValue": {"amount": "125000.00", "currency": "USD"},
                "stage": "archived",
                "outcome": "declined",
                "reason": "noCapacity",
            },
        });
        assert_eq!(serde_json::to_value(&detail).expect("JSON"), expected);
        let by_the_clock = serde_json::to_value(Detail::of("x", &deal, at, None, &notice)).expect("JSON");
        assert_eq!(by_the_clock["actor"], json!(null));
    }

    #[test]
    fn who_has_no_part_in_the_deal_does_not_learn_which_it_is() {
        let notice = Notice {
            notice_type: NoticeType::RegistrationSubmitted,
            opportunity: None,
            registration: Some(RegistrationNotice {
                id: domain::RegistrationId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAX").expect("an id"),
                organization: OrganizationId::parse("fabrikam").expect("an id"),
                solution: domain::SolutionId::parse("erp").expect("an id"),
                customer_name: CustomerName::parse("Adatum").expect("a name"),
                status: domain::RegistrationStatus::Submitted,
                reason: None,
            }),
            ..notice()
        };
        let deal = DealId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").expect("an id");
        let at = Timestamp::parse("2026-11-21T09:30:00Z").expect("an instant");
        let detail = serde_json::to_value(Detail::of("x", &deal, at, None, &notice)).expect("JSON");
        assert_eq!(
            (&detail["dealId"], &detail["opportunity"]),
            (&json!(null), &json!(null))
        );
        assert_eq!(
            detail["registration"],
            json!({"id": "01ARZ3NDEKTSV4RRFFQ69G5FAX", "organizationId": "fabrikam", "solutionId": "erp",
                   "customerName": "Adatum", "status": "submitted", "reason": null})
        );
    }
}
