import PipelineLanguage

extension RecordProcessor {
    func formatted(_ nanoseconds: Int64, _ prepared: PreparedCall) throws(EvaluationError) -> Text {
        guard case .timeWriter(let writer) = prepared else { return scratch.copy("") }
        return scratch.copy(writer.text(nanoseconds))
    }

    func truncated(_ nanoseconds: Int64, to step: Int64) throws(EvaluationError) -> Value {
        guard step > 0 else {
            throw EvaluationError("trunc(): \(DurationText.text(step)) is not a step")
        }
        let (start, overflow) = nanoseconds.flooredDivision(by: step)
            .multipliedReportingOverflow(by: step)
        if overflow { throw EvaluationError("trunc(): there is no such time") }
        return .time(start)
    }

    func age(of nanoseconds: Int64) throws(EvaluationError) -> Value {
        guard case .time(let now) = given[Meta.now] ?? meta(Meta.now) else { return .missing }
        let (age, overflow) = now.subtractingReportingOverflow(nanoseconds)
        if overflow { throw EvaluationError("age(): that is longer than a duration can be") }
        return .duration(age)
    }
}
