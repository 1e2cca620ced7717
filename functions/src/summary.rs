//! `GET /v1/summary`

use domain::{Access, Bucket, CampaignId, CampaignTally, Currency, Tally, decimal};
use edge::{Answer, App, Caller, Problem, clock, request};
use lambda_http::Request;
use serde::Serialize;

#[derive(Serialize)]
struct SummaryBody<'a> {
    totals: Vec<TotalBody>,
    campaigns: Vec<CampaignBody<'a>>,
}

#[derive(Serialize)]
struct TotalBody {
    tab: &'static str,
    stage: &'static str,
    outcome: Option<&'static str>,
    currency: Option<&'static str>,
    count: i64,
    value: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CampaignBody<'a> {
    campaign_id: &'a str,
    deals: i64,
    won: i64,
    lost: i64,
    won_value: Vec<MoneyBody>,
    win_rate: Option<f64>,
}

#[derive(Serialize)]
struct MoneyBody {
    amount: String,
    currency: &'static str,
}

/// Adds up the opportunities that the caller sees: by tab, stage, outcome and currency, and by campaign.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let by = Caller::of(&request)?.may_read()?;
    request::query(&request, &[])?;
    let now = clock::now();
    let summary = match by.access {
        Access::All => app.store.summary(&by, now).await?,
        Access::Team(_) => app.store.summary_by_walking(&by, now).await?,
    };
    let body = SummaryBody {
        totals: summary.totals.iter().map(TotalBody::of).collect(),
        campaigns: summary.campaigns.iter().map(CampaignBody::of).collect(),
    };
    Ok(Answer::json(200, &body))
}

impl TotalBody {
    fn of((bucket, tally): (&Bucket, &Tally)) -> Self {
        Self {
            tab: bucket.direction.as_str(),
            stage: bucket.stage.as_str(),
            outcome: bucket.outcome.map(domain::Outcome::as_str),
            currency: bucket.currency.map(|currency| currency.code()),
            count: tally.count,
            value: bucket.currency.map(|currency| decimal(tally.value, currency)),
        }
    }
}

impl<'a> CampaignBody<'a> {
    fn of((campaign, tally): (&'a CampaignId, &CampaignTally)) -> Self {
        let money = |(currency, value): (&Currency, &i128)| MoneyBody {
            amount: decimal(*value, *currency),
            currency: currency.code(),
        };
        Self {
            campaign_id: campaign.as_str(),
            deals: tally.deals,
            won: tally.won,
            lost: tally.lost,
            won_value: tally.won_value.iter().map(money).collect(),
            win_rate: tally.win_rate(),
        }
    }
}
