import PipelineLanguage

/// Calls: what their literals say is made ready before the first line.
extension ProgramCompiler {
    func call(
        _ function: Function,
        _ arguments: [Expression?]
    ) throws(ProgramError) -> Node {
        var compiled: [Node?] = []
        for argument in arguments {
            guard let argument else {
                compiled.append(nil)
                continue
            }
            compiled.append(try node(argument))
        }
        if case .json = function, case .allFields(let paths) = compiled.first ?? nil {
            return .allFieldsText(except: paths)
        }
        return .call(function, compiled, try prepared(function, arguments))
    }

    private func prepared(
        _ function: Function,
        _ arguments: [Expression?]
    ) throws(ProgramError) -> PreparedCall {
        switch function {
        case .capture, .captures, .replace:
            guard let pattern = arguments[1], let text = pattern.literalText else {
                return .nothing
            }
            return .regex(try regex(text, at: pattern.span))
        case .time:
            guard let format = timeFormat(arguments) else { return .nothing }
            return .timeReader(try reader(format, format.span))
        case .formatTime:
            guard let format = timeFormat(arguments) else { return .nothing }
            return .timeWriter(try writer(format))
        case .hmac: return try secret(arguments[1])
        case .redact:
            return .redaction(
                Redaction(named: arguments.dropFirst().compactMap { $0?.literalText })
            )
        case .globCapture:
            var globs: [Regex] = []
            for glob in plan.input.globs {
                globs.append(try regex(GlobRegex.pattern(for: glob.pattern), at: glob.span))
            }
            return .globs(globs)
        default: return .nothing
        }
    }

    /// The format and the zone of `time(…)` and `format_time(…)`.
    private func timeFormat(_ arguments: [Expression?]) -> TimeFormat? {
        guard let format = arguments[1], let text = format.literalText else { return nil }
        return TimeFormat(
            notation: TimeFormat.Notation(name: text) ?? .pattern(text),
            zone: arguments[2]?.literalText,
            span: format.span
        )
    }

    private func writer(_ format: TimeFormat) throws(ProgramError) -> TimeWriter {
        let reader = try reader(format, format.span)
        var pattern = ""
        if case .pattern(let text) = format.notation { pattern = text }
        return TimeWriter(
            notation: reader.notation,
            pattern: Array(pattern.utf8),
            zone: reader.zone
        )
    }

    private func secret(_ argument: Expression?) throws(ProgramError) -> PreparedCall {
        guard let argument, let name = argument.literalText else { return .nothing }
        guard let secret = secrets[name] else {
            throw error("the secret \(name) of forktail.conf is not known here", at: argument.span)
        }
        return .secret(secret)
    }
}
