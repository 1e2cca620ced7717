//! What an organization's opportunities add up to.

use std::collections::BTreeMap;

use crate::money::{Currency, Money};
use crate::opportunity::{Direction, Opportunity, Outcome, Stage};
use crate::text::CampaignId;

/// A line of the totals: opportunities that stand in the same place, in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// The tab.
    pub direction: Direction,
    /// Stage.
    pub stage: Stage,
    /// Only when archived.
    pub outcome: Option<Outcome>,
    /// Currency of the values; `None` for leads that have none.
    pub currency: Option<Currency>,
}

/// What stands in a bucket. The value is the final one of what was won, and the estimate of everything else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many opportunities.
    pub count: i64,
    /// Their values in the currency's smallest units.
    pub value: i128,
}

/// What a campaign has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CampaignTally {
    /// How many opportunities, in every stage.
    pub deals: i64,
    /// How many of them were won.
    pub won: i64,
    /// How many of them were lost.
    pub lost: i64,
    /// What the won ones brought, in each currency's smallest units.
    pub won_value: BTreeMap<Currency, i128>,
}

/// Totals and campaigns of some opportunities; or the difference between two such.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// By place and currency.
    pub totals: BTreeMap<Bucket, Tally>,
    /// By campaign.
    pub campaigns: BTreeMap<CampaignId, CampaignTally>,
}

impl Summary {
    /// Counts an opportunity in.
    pub fn add(&mut self, view: &Opportunity) {
        self.count(view, 1);
    }

    /// Counts an opportunity out.
    pub fn remove(&mut self, view: &Opportunity) {
        self.count(view, -1);
    }

    /// Leaves out what came to nothing.
    #[must_use]
    pub fn without_zeros(mut self) -> Self {
        self.totals.retain(|_, tally| *tally != Tally::default());
        for tally in self.campaigns.values_mut() {
            tally.won_value.retain(|_, value| *value != 0);
        }
        self.campaigns.retain(|_, tally| *tally != CampaignTally::default());
        self
    }

    fn count(&mut self, view: &Opportunity, sign: i64) {
        let standing = view.standing();
        let value: Option<Money> = view.final_value().or(view.estimated_value);
        let minor = i128::from(sign) * value.map_or(0, |value| i128::from(value.minor()));
        let currency = value.map(|value| value.iso());
        let bucket = Bucket {
            direction: view.direction(),
            stage: standing.stage,
            outcome: standing.outcome,
            currency,
        };
        let tally = self.totals.entry(bucket).or_default();
        tally.count += sign;
        tally.value += minor;
        let Some(campaign) = &view.campaign_id else { return };
        let tally = self.campaigns.entry(campaign.clone()).or_default();
        tally.deals += sign;
        match standing.outcome {
            Some(Outcome::Won) => {
                tally.won += sign;
                if let Some(currency) = currency {
                    *tally.won_value.entry(currency).or_default() += minor;
                }
            }
            Some(Outcome::Lost) => tally.lost += sign,
            _ => {}
        }
    }
}

impl CampaignTally {
    /// Won of those that were won or lost; `None` while there are none.
    pub fn win_rate(&self) -> Option<f64> {
        let closed = self.won + self.lost;
        #[expect(clippy::cast_precision_loss, reason = "no campaign has 2^52 deals")]
        (closed > 0).then(|| self.won as f64 / closed as f64)
    }
}
