//! What is due: the sparse index of pending invitations, in the order of their deadlines.

use domain::{DealId, OrganizationId, Timestamp};

use crate::{Error, Item, Store, keys};

/// Invitations whose reminder or `respondBy` has come, as far as the index knows; and where reading goes on.
#[derive(Debug, Clone, Default)]
pub struct Due {
    /// Oldest deadline first.
    pub invitations: Vec<(DealId, OrganizationId)>,
    next: Option<Item>,
}

impl Due {
    /// Whether there is more to read.
    pub fn has_more(&self) -> bool {
        self.next.is_some()
    }
}

impl Store {
    /// The shards that due invitations are spread over.
    pub fn deadline_shards() -> std::ops::Range<u8> {
        0..keys::SHARDS
    }

    /// A part of what is due in a shard at `now`: reads nothing that is not. `after` is the part before.
    pub async fn due(&self, shard: u8, now: Timestamp, limit: i32, after: Option<Due>) -> Result<Due, Error> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_DEADLINE)
            .key_condition_expression("duePk = :shard AND dueSk < :until")
            .expression_attribute_values(":shard", keys::text(&keys::due_pk(shard)))
            .expression_attribute_values(":until", keys::text(&keys::due_until(now)))
            .limit(limit)
            .set_exclusive_start_key(after.and_then(|after| after.next))
            .send()
            .await?;
        let text = |item: &Item, name| {
            item.get(name)
                .and_then(|value| value.as_s().ok())
                .cloned()
                .unwrap_or_default()
        };
        let invitations = answer
            .items
            .unwrap_or_default()
            .iter()
            .map(|item| {
                let (pk, sk) = (text(item, keys::PK), text(item, keys::SK));
                keys::parse_view(&pk, &sk).ok_or_else(|| Error::Corrupt(format!("{pk} {sk} is no view")))
            })
            .collect::<Result<_, _>>()?;
        Ok(Due {
            invitations,
            next: answer.last_evaluated_key,
        })
    }
}
