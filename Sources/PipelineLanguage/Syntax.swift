/// The tree of a file as written: nothing is resolved yet.
///
/// What could not be read is `broken`; the checker keeps quiet about everything near it.
struct SyntaxFile: Sendable {
    var from: [FromSyntax] = []
    var parse: [ParseSyntax] = []
    var steps: [StepSyntax] = []
    var errorPolicies: [ErrorPolicySyntax] = []
    var tests: [TestSyntax] = []
    /// The statement words of items that could not be read.
    var broken: Set<String> = []
    /// The first word of the file.
    var start = Span(0, 0)
}

/// A word at its place.
struct Name: Sendable {
    var text: String
    var span: Span
}

struct PathSyntax: Sendable {
    var names: [Name]
    var span: Span
}

struct SettingSyntax: Sendable {
    var name: Name
    var value: ExpressionSyntax
}

struct ArgumentSyntax: Sendable {
    var label: Name?
    var value: ExpressionSyntax
}

struct FromSyntax: Sendable {
    var globs: [Name]
    var settings: [SettingSyntax]
    var span: Span
}

struct ParseSyntax: Sendable {
    var format: Name
    var arguments: [ArgumentSyntax]
    /// Nil without a block.
    var columns: [ColumnSyntax]?
    var span: Span
}

struct ColumnSyntax: Sendable {
    var name: Name
    /// Nil when the type could not be read.
    var type: TypeSyntax?
}

struct TypeSyntax: Sendable {
    var name: Name
    var arguments: [ArgumentSyntax]
    /// The one element type of `[T]`.
    var element: [TypeSyntax]
    var isOptional: Bool
    var span: Span
}

struct StepSyntax: Sendable {
    indirect enum Kind: Sendable {
        case `let`(Name, ExpressionSyntax)
        case set(PathSyntax, ExpressionSyntax)
        case remove([PathSyntax])
        case rename(PathSyntax, to: PathSyntax)
        case keep([PathSyntax])
        case include(Name)
        case drop(reason: Name?, condition: ExpressionSyntax?)
        case reject(reason: Name, condition: ExpressionSyntax?)
        case `if`([BranchSyntax], otherwise: [StepSyntax]?)
        case send(SendSyntax)
        case broken
    }

    var kind: Kind
    var keyword: Span
    var span: Span
}

struct BranchSyntax: Sendable {
    var condition: ExpressionSyntax
    var steps: [StepSyntax]
    var span: Span
}

/// The lines of a `send`, or of an `expect` in a test.
struct SendSyntax: Sendable {
    struct Line: Sendable {
        var keyword: Name
        var value: ExpressionSyntax
    }

    /// The cluster that `send to` names.
    var cluster: Name?
    var lines: [Line] = []
    var headers: [SettingSyntax] = []
    var valueMembers: ExpressionSyntax?
    var isBroken = false
}

struct ErrorPolicySyntax: Sendable {
    enum Kind: Sendable {
        case deadLetter(ExpressionSyntax)
        case stop
        case skip
        case steps([StepSyntax])
    }

    var kind: Kind
    var span: Span
}

struct TestSyntax: Sendable {
    struct Given: Sendable {
        var meta: Name
        var value: ExpressionSyntax
    }

    struct Expectation: Sendable {
        enum Kind: Sendable {
            case record(SendSyntax)
            case drop(String?)
            case deadLetter(String?)
            case nothing
        }

        var kind: Kind
        var span: Span
    }

    var name: Name
    var given: [Given] = []
    var input: Name
    var expectations: [Expectation] = []
}

struct ExpressionSyntax: Sendable {
    indirect enum Kind: Sendable {
        case broken
        case literal(Literal)
        case byteCount(Int64)
        case computed([Segment])
        case name(String)
        case allFields
        case meta([String])
        case list([ExpressionSyntax])
        case object([Member])
        case match(subject: ExpressionSyntax?, [Arm], otherwise: ExpressionSyntax?)
        case call(Name, [ArgumentSyntax])
        case member(ExpressionSyntax, Name)
        case index(ExpressionSyntax, ExpressionSyntax)
        case except(ExpressionSyntax, [PathSyntax])
        case unary(UnaryOperator, ExpressionSyntax)
        case binary(BinaryOperator, ExpressionSyntax, ExpressionSyntax)
        case coalesce(ExpressionSyntax, ExpressionSyntax)
        case regexMatch(ExpressionSyntax, ExpressionSyntax, negated: Bool)
    }

    enum Segment: Sendable {
        case text(String)
        case expression(ExpressionSyntax)
    }

    struct Member: Sendable {
        var name: Name
        /// Nil for `{ a }`, which means `{ a: a }`.
        var value: ExpressionSyntax?
    }

    struct Arm: Sendable {
        var patterns: [ExpressionSyntax]
        var result: ExpressionSyntax
        var span: Span
    }

    var kind: Kind
    var span: Span
    /// How many expressions stand inside one another here, at most.
    var depth: Int
}
