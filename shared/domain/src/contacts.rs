//! Whom an organization works with: the people of the teams that it has set, each once, newest first.

use std::collections::HashSet;

use crate::filter::fold;
use crate::opportunity::Person;
use crate::time::Timestamp;

/// Somebody who was put on a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentContact {
    /// As on the last of those teams.
    pub person: Person,
    /// When that was.
    pub last_used_at: Timestamp,
}

/// A team that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Sorts as the instants do, and tells uses at the same instant apart.
    pub place: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub team: Vec<Person>,
}

/// A page of contacts, filled from the newest use on. Who is used again while somebody reads pages moves to the front, and
/// does not come twice.
#[derive(Debug)]
pub struct RecentContacts {
    after: Option<String>,
    limit: usize,
    seen: HashSet<String>,
    /// One more than asked for, to know whether there is one; each with its place.
    found: Vec<(String, RecentContact)>,
}

impl RecentContacts {
    /// The page after a place, which another page gave.
    pub fn after(after: Option<String>, limit: usize) -> Self {
        Self {
            after,
            limit,
            seen: HashSet::new(),
            found: Vec::new(),
        }
    }

    /// Whether older uses would change nothing.
    pub fn is_complete(&self) -> bool {
        self.found.len() > self.limit
    }

    /// Adds the next older use.
    pub fn add(&mut self, used: Use) {
        for (index, person) in used.team.into_iter().enumerate() {
            // Newest first, and a team in its own order: a later place is a smaller text.
            let place = format!("{}#{:02}", used.place, 99 - index.min(99));
            let is_new = self.seen.insert(identity(&person));
            let is_here = self.after.as_ref().is_none_or(|after| place < *after);
            if is_new && is_here && !self.is_complete() {
                let last_used_at = used.at;
                self.found.push((place, RecentContact { person, last_used_at }));
            }
        }
    }

    /// The contacts, and the place that the next page is after, if there is one.
    pub fn page(mut self) -> (Vec<RecentContact>, Option<String>) {
        let more = self.is_complete();
        self.found.truncate(self.limit);
        let last = self.found.last().map(|(place, _)| place.clone());
        let contacts = self.found.into_iter().map(|(_, contact)| contact).collect();
        (contacts, last.filter(|_| more))
    }
}

/// One person: an email address is somebody's own, whatever its case; without one the phone, or else the name, has to do.
fn identity(person: &Person) -> String {
    match (&person.email, &person.phone) {
        (Some(email), _) => format!("email {}", email.as_str().to_lowercase()),
        (None, Some(phone)) => format!("phone {phone}"),
        (None, None) => format!("name {}", fold(person.name.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::{Email, PersonName, Phone};

    fn person(name: &str, email: Option<&str>, phone: Option<&str>) -> Person {
        Person {
            name: PersonName::parse(name).expect("a name"),
            phone: phone.map(|phone| Phone::parse(phone).expect("a phone")),
            email: email.map(|email| Email::parse(email).expect("an email")),
        }
    }

    fn used(second: u32, team: Vec<Person>) -> Use {
        let at = Timestamp::parse(&format!("2026-11-21T12:00:{second:02}Z")).expect("an instant");
        Use {
            place: at.to_string(),
            at,
            team,
        }
    }

    fn names(contacts: &[RecentContact]) -> Vec<&str> {
        contacts.iter().map(|contact| contact.person.name.as_str()).collect()
    }

    #[test]
    fn the_newest_team_comes_first_and_nobody_twice() {
        let mut contacts = RecentContacts::after(None, 10);
        contacts.add(used(
            2,
            vec![
                person("Ana", Some("ana@fabrikam.example"), None),
                person("Bo", None, Some("+14255550100")),
            ],
        ));
        contacts.add(used(
            1,
            vec![
                person("Ana D.", Some("ANA@fabrikam.example"), None),
                person("Bo", None, None),
                person("BÖ", None, None),
                person("B.", None, Some("+14255550100")),
            ],
        ));
        let (page, next) = contacts.page();
        // One is known by its phone, the other only by a name.
        assert_eq!(names(&page), ["Ana", "Bo", "Bo"]);
        assert_eq!(page[0].last_used_at.to_string(), "2026-11-21T12:00:02.000Z");
        assert_eq!(next, None);
    }

    proptest! {
        #[test]
        fn pages_are_the_list_in_pieces(
            teams in prop::collection::vec(prop::collection::vec(0u32..20, 1..6), 0..12),
            limit in 1usize..8,
        ) {
            let uses: Vec<Use> = (0..).zip(&teams).map(|(index, team)| {
                let people = team.iter().map(|n| person("P", Some(&format!("p{n}@fabrikam.example")), None));
                used(59 - index, people.collect())
            }).collect();
            let read = |after: Option<String>, limit: usize| {
                let mut contacts = RecentContacts::after(after, limit);
                for one in &uses {
                    if !contacts.is_complete() {
                        contacts.add(one.clone());
                    }
                }
                contacts.page()
            };
            let (all, _) = read(None, 1_000);
            let (mut pieces, mut after) = (Vec::new(), None);
            loop {
                let (page, next) = read(after, limit);
                prop_assert!(page.len() <= limit);
                pieces.extend(page);
                after = next;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(&pieces, &all);
            let distinct: HashSet<_> = all.iter().map(|contact| identity(&contact.person)).collect();
            prop_assert_eq!(distinct.len(), all.len());
            prop_assert!(all.is_sorted_by(|a, b| a.last_used_at >= b.last_used_at));
        }
    }
}
