//! The services of the cell, for the report.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::Engine;
use crate::report::ServiceReport;

impl Engine {
    /// Takes the services as they were at the last look. To be called when the host was made to be like the state in
    /// force: what is wanted is then that state's.
    pub(crate) fn settle_services(&mut self) {
        let wanted = self.compiled.as_ref().map(|compiled| &compiled.targets.units);
        let wanted =
            |name: &String| wanted.is_some_and(|units| units.get(name).is_some_and(|unit| unit.active));
        let named = self.compiled.iter().flat_map(|compiled| compiled.targets.units.keys());
        let services: BTreeMap<String, ServiceReport> = named
            .chain(self.seen.units.keys())
            .map(|name| {
                let seen = self.seen.units.get(name);
                let service = ServiceReport {
                    wanted: wanted(name),
                    active: seen.is_some_and(|unit| unit.active),
                    words: seen.map_or_else(|| "not there".to_owned(), |unit| unit.words.clone()),
                };
                (name.clone(), service)
            })
            .collect();
        self.services = Arc::new(services);
    }
}
