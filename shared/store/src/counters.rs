//! Counters: what an organization's opportunities add up to, kept in the same transaction as the opportunities themselves,
//! so that they can neither run ahead nor fall behind, whatever is retried or lost.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use domain::{
    Actor, Bucket, CampaignId, CampaignTally, Currency, Deal, Direction, Filter, OrganizationId, Stage, Summary, Tab,
    Tally, Timestamp,
};
use futures_util::future::try_join_all;

use crate::lists::ListQuery;
use crate::{Error, Item, Store, keys};

/// The attribute of a campaign's won value in a currency begins so; the code follows.
const WON_VALUE: &str = "wonValue_";
/// What a walk through a whole list takes at a time.
const WALK: usize = 100;

impl Store {
    /// What an organization's opportunities add up to at `now`: one Query for each shard of the counters, and one for those
    /// that have lapsed since the last sweep, which the counters still have as received.
    pub async fn summary(&self, by: &Actor, now: Timestamp) -> Result<Summary, Error> {
        let shards = (0..keys::SHARDS).map(|shard| self.counters(&by.organization, shard));
        let shards = try_join_all(shards).await?;
        let mut summary = Summary::default();
        for item in shards.iter().flatten() {
            read(item, &mut summary)?;
        }
        for (stored, view) in self.lapsed(by, now).await? {
            summary.remove(&stored);
            summary.add(&view);
        }
        Ok(summary.without_zeros())
    }

    async fn counters(&self, organization: &OrganizationId, shard: u8) -> Result<Vec<Item>, Error> {
        let counters = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", keys::text(&keys::counters(organization, shard)))
            .into_paginator()
            .items()
            .send();
        Ok(counters.collect::<Result<_, _>>().await?)
    }

    /// The same for somebody who sees only some of them: those are walked through, since nothing counts them.
    pub async fn summary_by_walking(&self, by: &Actor, now: Timestamp) -> Result<Summary, Error> {
        let mut summary = Summary::default();
        for tab in [Tab::Inbound, Tab::Outbound] {
            let query = ListQuery {
                by: by.clone(),
                tab,
                filter: Filter::default(),
                limit: WALK,
                now,
            };
            let mut cursor = None;
            loop {
                let page = self.page(&query, cursor.as_deref()).await?;
                let page = page.map_err(|error| Error::Corrupt(error.to_string()))?;
                page.items.iter().for_each(|view| summary.add(view));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(summary.without_zeros())
    }

    /// What a change of a deal does to the counters of the organizations whose views it changed.
    pub(crate) fn count(&self, before: Option<&Deal>, after: &Deal) -> Result<Vec<TransactWriteItem>, Error> {
        let mut items = Vec::new();
        for view in after.views() {
            let organization = &view.organization.id;
            let mut difference = Summary::default();
            if let Some(before) = before.and_then(|deal| deal.view(organization).ok()) {
                difference.remove(before);
            }
            difference.add(view);
            let difference = difference.without_zeros();
            for (bucket, tally) in &difference.totals {
                items.push(self.add_to_bucket(organization, after, *bucket, *tally)?);
            }
            for (campaign, tally) in &difference.campaigns {
                items.push(self.add_to_campaign(organization, after, campaign, tally)?);
            }
        }
        Ok(items)
    }

    fn add_to_bucket(
        &self,
        organization: &OrganizationId,
        deal: &Deal,
        bucket: Bucket,
        tally: Tally,
    ) -> Result<TransactWriteItem, Error> {
        let Bucket {
            direction,
            stage,
            outcome,
            currency,
        } = bucket;
        let outcome = outcome.map_or("-", domain::Outcome::as_str);
        let currency = currency.map_or("-", |currency| currency.code());
        let key = keys::counter(
            organization,
            deal.id(),
            &format!("TAB#{direction}#{stage}#{outcome}#{currency}"),
        );
        let update = Update::builder()
            .set_key(Some(key.attributes()))
            .update_expression(
                "SET direction = :direction, stage = :stage, outcome = :outcome, currency = :currency \
                 ADD deals :count, #value :value",
            )
            .expression_attribute_names("#value", "value")
            .expression_attribute_values(":direction", keys::text(direction.as_str()))
            .expression_attribute_values(":stage", keys::text(stage.as_str()))
            .expression_attribute_values(":outcome", keys::text(outcome))
            .expression_attribute_values(":currency", keys::text(currency))
            .expression_attribute_values(":count", number(&tally.count))
            .expression_attribute_values(":value", number(&tally.value));
        self.update(update)
    }

    fn add_to_campaign(
        &self,
        organization: &OrganizationId,
        deal: &Deal,
        campaign: &CampaignId,
        tally: &CampaignTally,
    ) -> Result<TransactWriteItem, Error> {
        let key = keys::counter(organization, deal.id(), &format!("CAMPAIGN#{campaign}"));
        let mut add = "SET campaignId = :campaign ADD deals :deals, won :won, lost :lost".to_owned();
        let mut update = Update::builder()
            .set_key(Some(key.attributes()))
            .expression_attribute_values(":campaign", keys::text(campaign.as_str()))
            .expression_attribute_values(":deals", number(&tally.deals))
            .expression_attribute_values(":won", number(&tally.won))
            .expression_attribute_values(":lost", number(&tally.lost));
        for (currency, value) in &tally.won_value {
            let code = currency.code();
            add = format!("{add}, {WON_VALUE}{code} :{code}");
            update = update.expression_attribute_values(format!(":{code}"), number(value));
        }
        self.update(update.update_expression(add))
    }

    /// What was still received when it was last written and has lapsed since: as stored, and as it stands.
    async fn lapsed(
        &self,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Vec<(domain::Opportunity, domain::Opportunity)>, Error> {
        let items = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_TAB)
            .key_condition_expression("tabPk = :tab AND tabSk < :split")
            .expression_attribute_values(
                ":tab",
                keys::text(&keys::tab_pk(&by.organization, Direction::Inbound, Stage::Received)),
            )
            .expression_attribute_values(
                ":split",
                keys::text(&keys::tab_split(now.plus(chrono::TimeDelta::milliseconds(1)))),
            )
            .into_paginator()
            .items()
            .send();
        let items: Vec<Item> = items.collect::<Result<_, _>>().await?;
        let pairs = items.into_iter().map(|item| {
            let stored = crate::records::from_item::<crate::OpportunityRecord>(item)?.opportunity()?;
            Ok((stored.clone(), stored.at(now)))
        });
        pairs.collect()
    }
}

fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Adds a counter to what is there: the shards of a bucket or campaign come together.
fn read(item: &Item, summary: &mut Summary) -> Result<(), Error> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    let wrong = || Error::Corrupt(format!("counter {}", text(keys::SK).unwrap_or_default()));
    let read = |value: &AttributeValue| value.as_n().ok().and_then(|number| number.parse::<i128>().ok());
    let sum = |name: &str| item.get(name).and_then(read).unwrap_or(0);
    let count = |name: &str| i64::try_from(sum(name)).map_err(|_| wrong());
    if let Some(campaign) = text("campaignId") {
        let campaign = CampaignId::parse(campaign).map_err(|_| wrong())?;
        let tally = summary.campaigns.entry(campaign).or_default();
        tally.deals += count("deals")?;
        tally.won += count("won")?;
        tally.lost += count("lost")?;
        let values: BTreeMap<Currency, i128> = item
            .iter()
            .filter_map(|(name, value)| Some((Currency::from_code(name.strip_prefix(WON_VALUE)?)?, read(value)?)))
            .collect();
        for (currency, value) in values {
            *tally.won_value.entry(currency).or_default() += value;
        }
        return Ok(());
    }
    let word = |name: &str| text(name).ok_or_else(wrong);
    let outcome = match word("outcome")? {
        "-" => None,
        outcome => Some(domain::Outcome::parse(outcome).map_err(|_| wrong())?),
    };
    let bucket = Bucket {
        direction: Direction::parse(word("direction")?).map_err(|_| wrong())?,
        stage: Stage::parse(word("stage")?).map_err(|_| wrong())?,
        outcome,
        currency: match word("currency")? {
            "-" => None,
            code => Some(Currency::from_code(code).ok_or_else(wrong)?),
        },
    };
    let tally = summary.totals.entry(bucket).or_default();
    tally.count += count("deals")?;
    tally.value += sum("value");
    Ok(())
}
