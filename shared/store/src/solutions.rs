//! The co-sell ready solutions by name.

use domain::suggest::Typed;
use domain::{CatalogSolution, OrganizationId, SolutionType};

use crate::cursor::{CursorError, place_after, place_of};
use crate::directory::solution;
use crate::timeline::sort_key;
use crate::{Error, Store, keys};

/// A request reads at most about this many solutions that are not asked for, and then answers with what it has and a cursor.
const MAX_READ: usize = 1_000;
/// What is read at a time where not everything is shown.
const STEP: usize = 250;

/// Which solutions, for whom, and from where on.
#[derive(Debug, Clone)]
pub struct SolutionsQuery<'a> {
    /// Who asks: types are relative to it.
    pub organization: &'a OrganizationId,
    /// Only these.
    pub solution_type: Option<SolutionType>,
    /// Only with these words in their name.
    pub typed: Option<&'a Typed>,
    /// At most this many.
    pub limit: usize,
    /// Where the last page ended.
    pub cursor: Option<&'a str>,
}

/// A part of the catalog, by name.
#[derive(Debug, Clone)]
pub struct SolutionsPage {
    /// The solutions.
    pub items: Vec<CatalogSolution>,
    /// Where the next page goes on; `None` at the end.
    pub next: Option<String>,
}

impl SolutionsQuery<'_> {
    fn shows(&self, solution: &CatalogSolution) -> bool {
        let solution = &solution.solution;
        self.solution_type
            .is_none_or(|wanted| solution.type_for(self.organization) == wanted)
            && self
                .typed
                .is_none_or(|typed| typed.rank(solution.name.as_str()).is_some())
    }
}

impl Store {
    /// The co-sell ready solutions by name: mostly one Query. Not consistent, as all of the directory.
    pub async fn solutions(&self, query: &SolutionsQuery<'_>) -> Result<Result<SolutionsPage, CursorError>, Error> {
        let pk = match query.solution_type {
            Some(SolutionType::Own) => keys::solutions_of(query.organization),
            Some(SolutionType::Vendor) => match self.vendor().await? {
                Some(vendor) => keys::solutions_of(&vendor),
                None => keys::solution_names(),
            },
            Some(SolutionType::ThirdParty) | None => keys::solution_names(),
        };
        let scope = format!(
            "{}/{pk}/{:?}/{:?}",
            query.organization, query.solution_type, query.typed
        );
        let after = match query.cursor.map(|text| place_of(text, &scope)).transpose() {
            Ok(after) => after,
            Err(error) => return Ok(Err(error)),
        };
        let mut start = after.map(|sk| keys::place(&pk, &sk));
        let everything = query.solution_type.is_none() && query.typed.is_none();
        // One more, to know whether there is one.
        let step = if everything { query.limit + 1 } else { STEP };
        let (mut items, mut last, mut read) = (Vec::new(), None, 0);
        let next = 'pages: loop {
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", keys::text(&pk))
                .limit(i32::try_from(step).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take());
            let answer = request.send().await?;
            for item in answer.items.unwrap_or_default() {
                read += 1;
                let found = solution(&item)?;
                if query.shows(&found) {
                    if items.len() == query.limit {
                        break 'pages last;
                    }
                    items.push(found);
                    last = Some(sort_key(&item)?);
                }
            }
            match answer.last_evaluated_key {
                None => break None,
                Some(key) if read >= MAX_READ => break Some(sort_key(&key)?),
                key => start = key,
            }
        };
        let next = next.map(|sk| place_after(&sk, &scope));
        Ok(Ok(SolutionsPage { items, next }))
    }
}
