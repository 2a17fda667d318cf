extension Expression {
    /// The expressions directly inside this one.
    package var children: [Expression] {
        switch kind {
        case .literal, .field, .local, .allFields, .meta: []
        case .member(let base, _), .except(let base, _), .unary(_, let base): [base]
        case .regexMatch(let base, _, _): [base]
        case .index(let left, let right), .binary(_, let left, let right): [left, right]
        case .coalesce(let left, let right): [left, right]
        case .call(_, let arguments): arguments.compactMap(\.self)
        case .list(let elements): elements
        case .object(let members): members.map(\.value)
        case .interpolation(let segments):
            segments.compactMap { if case .expression(let inner) = $0 { inner } else { nil } }
        case .match(let match):
            [match.subject].compactMap(\.self) + match.arms.flatMap { $0.patterns + [$0.result] }
                + [match.otherwise].compactMap(\.self)
        }
    }
}
