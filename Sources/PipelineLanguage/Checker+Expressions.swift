/// Expressions: names, types, and values that cannot occur.
extension Checker {
    mutating func check(_ syntax: ExpressionSyntax) -> Expression {
        let span = syntax.span
        switch syntax.kind {
        case .broken: return poison(span)
        case .literal(let literal): return checkLiteral(literal, span)
        case .byteCount(let count): return checkLiteral(.int(count), span)
        case .computed(let segments): return checkComputed(segments, span)
        case .name(let name): return checkName(Name(text: name, span: span))
        case .allFields: return checkAllFields([], span)
        case .meta(let path): return checkMeta(path, span)
        case .list(let elements): return checkList(elements, span)
        case .object(let members): return checkObject(members, span)
        case .match(let subject, let arms, let otherwise):
            return checkMatch(subject, arms, otherwise, span)
        case .call(let name, let arguments): return checkCall(name, arguments, span)
        default: return checkOperation(syntax)
        }
    }

    private mutating func checkOperation(_ syntax: ExpressionSyntax) -> Expression {
        let span = syntax.span
        switch syntax.kind {
        case .member(let base, let name): return checkMember(base, name, span)
        case .index(let base, let index): return checkIndex(base, index, span)
        case .except(let base, let paths): return checkExcept(base, paths, span)
        case .unary(let operation, let inner): return checkUnary(operation, inner, span)
        case .binary(let operation, let left, let right):
            return checkBinary(operation, left, right, span)
        case .coalesce(let left, let right): return checkCoalesce(left, right, span)
        case .regexMatch(let subject, let pattern, let negated):
            return checkRegexMatch(subject, pattern, negated, span)
        default: return poison(span)
        }
    }

    // MARK: Leaves

    private func checkLiteral(_ literal: Literal, _ span: Span) -> Expression {
        let type: ValueType =
            switch literal {
            case .null: .null
            case .bool: .bool
            case .int: .int
            case .decimal: .decimal
            case .string: .string
            case .duration: .duration
            }
        return Expression(kind: .literal(literal), type: type, span: span)
    }

    private mutating func checkName(_ name: Name) -> Expression {
        if let local = local(name.text) {
            let type = state.locals[local] ?? .any
            return Expression(kind: .local(local), type: type, span: name.span)
        }
        guard let type = fieldType(name) else { return poison(name.span) }
        let path = FieldPath(slot: slot(of: name.text), members: [], span: name.span)
        return Expression(kind: .field(path), type: type, span: name.span)
    }

    private mutating func checkAllFields(_ except: [FieldPath], _ span: Span) -> Expression {
        guard isInErrorPolicy else {
            return Expression(kind: .allFields(except: except), type: .object, span: span)
        }
        report(
            .unknownField,
            "`on error` cannot use `*`",
            at: span,
            label: "the record may have failed before it had fields",
            help: "use `@raw`"
        )
        return poison(span)
    }

    private mutating func checkMeta(_ path: [String], _ span: Span) -> Expression {
        let name = path.joined(separator: ".")
        guard let (meta, type) = Meta.named(path) else {
            let nearest = SpellingHelp.nearest(to: name, in: Meta.names)
            report(
                .unknownMetadata,
                "unknown metadata `@\(name)`",
                at: span,
                help: nearest.map { "did you mean `@\($0)`?" }
                    ?? "there are \(Meta.names.map { "@\($0)" }.joined(separator: ", ")), @env.NAME"
            )
            return poison(span)
        }
        guard !meta.isAboutError || isInErrorPolicy else {
            let message = "`@\(name)` is known inside `on error` only"
            report(.unknownMetadata, message, at: span)
            return poison(span)
        }
        return Expression(kind: .meta(meta), type: type, span: span)
    }

    // MARK: Lists, objects, texts

    private mutating func checkList(_ elements: [ExpressionSyntax], _ span: Span) -> Expression {
        let checked = elements.map { check($0) }
        let element = checked.dropFirst().reduce(checked.first?.type ?? .any) {
            $0.united(with: $1.type)
        }
        return Expression(kind: .list(checked), type: ValueType(.list(element)), span: span)
    }

    private mutating func checkObject(
        _ members: [ExpressionSyntax.Member],
        _ span: Span
    ) -> Expression {
        var checked: [ObjectMember] = []
        var shape: [String: ValueType] = [:]
        var seen: Set<String> = []
        for member in members where isFirst(member.name, in: &seen) {
            let value = member.value.map { check($0) } ?? checkName(member.name)
            checked.append(ObjectMember(name: member.name.text, value: value))
            shape[member.name.text] = value.type
        }
        return Expression(kind: .object(checked), type: ValueType(.object(shape)), span: span)
    }

    private mutating func checkComputed(
        _ segments: [ExpressionSyntax.Segment],
        _ span: Span
    ) -> Expression {
        let checked = segments.map { segment -> TextSegment in
            switch segment {
            case .text(let text): .text(text)
            case .expression(let inner): .expression(checkInterpolated(inner))
            }
        }
        return Expression(kind: .interpolation(checked), type: .string, span: span)
    }

    private mutating func checkInterpolated(_ syntax: ExpressionSyntax) -> Expression {
        let value = check(syntax)
        let text = source.text(in: value.span)
        let label = "this is `\(value.type)`"
        if value.type.isOptional {
            report(
                .possiblyMissing,
                "`${…}` may have no value",
                at: value.span,
                label: label,
                help: "give a fallback: `${\(text) ?? \"none\"}`"
            )
        } else if !value.type.isPlain {
            let message = "`${…}` takes text or a number"
            let help = "encode it with `json(…)`"
            report(.wrongArgument, message, at: value.span, label: label, help: help)
        }
        return value
    }

    // MARK: Members

    private mutating func checkMember(
        _ syntax: ExpressionSyntax,
        _ name: Name,
        _ span: Span
    ) -> Expression {
        let base = check(syntax)
        guard let type = memberType(of: base, name) else { return poison(span) }
        if case .field(var path) = base.kind {
            path.members.append(name.text)
            path.span = span
            return Expression(kind: .field(path), type: type, span: span)
        }
        return Expression(kind: .member(base, name.text), type: type, span: span)
    }

    private mutating func memberType(of base: Expression, _ name: Name) -> ValueType? {
        switch base.type.kind {
        case .any: return base.type.isOptional ? base.type : nil
        case .object(nil): return .any.optional()
        case .object(let shape?):
            if let type = shape[name.text] { return base.type.isOptional ? type.optional() : type }
            report(
                .unknownField,
                "`\(source.text(in: base.span))` has no member `\(name.text)`",
                at: name.span,
                help: SpellingHelp.suggestion(for: name.text, in: shape.keys.sorted())
            )
            return nil
        default:
            let text = source.text(in: base.span)
            report(
                .wrongArgument,
                "`\(text)` has no members",
                at: name.span,
                label: "`\(text)` is `\(base.type)`"
            )
            return nil
        }
    }

    private mutating func checkIndex(
        _ syntax: ExpressionSyntax,
        _ indexSyntax: ExpressionSyntax,
        _ span: Span
    ) -> Expression {
        let base = check(syntax)
        let index = check(indexSyntax)
        let kind = Expression.Kind.index(base, index)
        switch (base.type.kind, index.type.kind) {
        case (.any, _): return Expression(kind: kind, type: base.type, span: span)
        case (.list(let element), .int), (.list(let element), .any):
            return Expression(kind: kind, type: element, span: span)
        case (.object, .string), (.object, .enumeration), (.object, .any):
            return Expression(kind: kind, type: .any.optional(), span: span)
        case (.list, _), (.object, _):
            let what = base.type.isObject ? "a name in quotes" : "a number"
            let message = "the index of `\(base.type)` is \(what)"
            report(.wrongArgument, message, at: index.span, label: "this is `\(index.type)`")
        default:
            let label = "this is `\(base.type)`"
            report(.wrongArgument, "only a list has an index", at: base.span, label: label)
        }
        return poison(span)
    }

    private mutating func checkExcept(
        _ syntax: ExpressionSyntax,
        _ paths: [PathSyntax],
        _ span: Span
    ) -> Expression {
        if case .allFields = syntax.kind {
            return checkAllFields(paths.compactMap { checkPath($0) }, span)
        }
        let base = check(syntax)
        guard base.type.isObject || base.type.isAny else {
            let label = "this is `\(base.type)`"
            report(.wrongArgument, "`except` follows an object", at: base.span, label: label)
            return poison(span)
        }
        let names = paths.map { $0.names.map(\.text) }
        let type = base.type.isAny ? base.type : .object.optional(base.type.isOptional)
        return Expression(kind: .except(base, names), type: type, span: span)
    }

    // MARK: ??

    private mutating func checkCoalesce(
        _ left: ExpressionSyntax,
        _ right: ExpressionSyntax,
        _ span: Span
    ) -> Expression {
        let value = check(left)
        let fallback = check(right)
        if (value.type.kind == .bool) != (fallback.type.kind == .bool),
            !value.type.isAny, !fallback.type.isAny, fallback.type.kind != .null
        {
            report(
                .unlikeTypes,
                "the two sides of `??` do not go together",
                at: span,
                label: "`\(value.type)` and `\(fallback.type)`",
                help: "`??` binds last: write `(a ?? b) == c`"
            )
            return poison(span)
        }
        let united = value.type.optional(false).texts(of: value)
            .united(with: fallback.type.texts(of: fallback))
        let type = fallback.type.isOptional ? united.optional() : united.optional(false)
        return Expression(kind: .coalesce(value, fallback), type: type.plain, span: span)
    }

    private mutating func checkRegexMatch(
        _ subject: ExpressionSyntax,
        _ pattern: ExpressionSyntax,
        _ negated: Bool,
        _ span: Span
    ) -> Expression {
        let checked = check(subject)
        if !checked.type.isText, !checked.type.isAny, checked.type.kind != .bytes {
            let label = "this is `\(checked.type)`"
            let message = "`\(negated ? "!~" : "=~")` looks into text"
            report(.unlikeTypes, message, at: checked.span, label: label)
        }
        guard let text = pattern.text else {
            if !pattern.isBroken {
                let message = "a regular expression is written out in quotes"
                report(.wrongArgument, message, at: pattern.span, help: "write `=~ '^…'`")
            }
            return Expression(kind: .literal(.null), type: .bool, span: span)
        }
        let regex = Pattern(text: text, span: pattern.span)
        let kind = Expression.Kind.regexMatch(checked, regex, negated: negated)
        return Expression(kind: kind, type: .bool, span: span)
    }
}

extension ValueType {
    /// The type of a written-out text counts as the one value it is.
    func texts(of expression: Expression) -> ValueType {
        guard case .literal(.string(let text)) = expression.kind else { return self }
        return ValueType(.enumeration([text]), isOptional: isOptional)
    }

    /// An enum of a single literal is just a text to its reader.
    var plain: ValueType {
        enumeration?.count == 1 ? ValueType(.string, isOptional: isOptional) : self
    }
}
