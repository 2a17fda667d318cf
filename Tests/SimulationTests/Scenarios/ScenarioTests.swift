import Testing

/// What must hold for real files, one test for each scenario of docs/scenarios.md.
struct ScenarioTests {}
