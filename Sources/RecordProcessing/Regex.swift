import CPCRE2

/// A compiled PCRE2 pattern; any number of matchers may use it.
package final class Regex: @unchecked Sendable {
    // Safe to share: PCRE2 never changes a compiled pattern, and matchers hold the match data.
    let code: OpaquePointer
    /// Groups with and without a name; the whole match is not counted.
    let groupCount: Int
    private let names: [String: Int]
    /// In the order of the pattern.
    let namedGroups: [(name: String, number: Int)]

    /// - Throws: `RegexError` with PCRE2's own words and the place in the pattern.
    package init(_ pattern: String) throws(RegexError) {
        var code: CInt = 0
        var offset = 0
        let bytes = Array(pattern.utf8)
        guard
            let compiled = pcre2_compile_8(
                bytes,
                bytes.count,
                matchBytes,
                &code,
                &offset,
                nil
            )
        else { throw RegexError(description: "\(regexErrorText(code)) (at character \(offset))") }
        self.code = compiled
        pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE)
        var count: UInt32 = 0
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_CAPTURECOUNT), &count)
        groupCount = Int(count)
        names = Self.groupNames(of: compiled)
        namedGroups = names.map { ($0, $1) }.sorted { $0.number < $1.number }
    }

    deinit {
        pcre2_code_free_8(code)
    }

    /// The number of a named group.
    package func groupNumber(named name: String) -> Int? { names[name] }

    private static func groupNames(of code: OpaquePointer) -> [String: Int] {
        var count: UInt32 = 0
        var size: UInt32 = 0
        var table: UnsafePointer<UInt8>?
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMECOUNT), &count)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMEENTRYSIZE), &size)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMETABLE), &table)
        guard let table else { return [:] }
        var names: [String: Int] = [:]
        for index in 0..<Int(count) {
            // Two bytes for the group's number, then its name with a NUL behind it (pcre2api).
            let entry = table + index * Int(size)
            let number = Int(entry[0]) << 8 | Int(entry[1])
            var end = 2
            while end < Int(size), entry[end] != 0 { end += 1 }
            let name = UnsafeBufferPointer(start: entry + 2, count: end - 2)
            names[String(decoding: name, as: UTF8.self)] = number
        }
        return names
    }
}

/// Bytes are matched as they are: a log line need not be UTF-8.
private let matchBytes: UInt32 = 0

/// Why a pattern was refused, or a match was given up.
package struct RegexError: Error, CustomStringConvertible, Sendable {
    package let description: String
}

/// The memory for one match at a time; belongs to one thread.
package final class RegexMatcher {
    /// Steps after which a match is given up: a pattern must not hold up the files.
    private static let matchLimit: UInt32 = 1_000_000
    private static let groupLimit: UInt32 = 64

    private let data: OpaquePointer?
    private let context: OpaquePointer?
    private var groupCount = 0

    package init() {
        data = pcre2_match_data_create_8(Self.groupLimit, nil)
        context = pcre2_match_context_create_8(nil)
        pcre2_set_match_limit_8(context, Self.matchLimit)
    }

    deinit {
        pcre2_match_data_free_8(data)
        pcre2_match_context_free_8(context)
    }

    /// Whether the pattern matches somewhere in the text, at `begin` or behind it.
    ///
    /// - Throws: `RegexError` when the match limit was reached.
    package func match(
        _ regex: Regex,
        _ text: UnsafeRawBufferPointer,
        from begin: Int = 0
    ) throws(RegexError) -> Bool {
        let start = text.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let empty: [UInt8] = [0]
        let result = empty.withUnsafeBufferPointer { nothing in
            pcre2_match_8(
                regex.code,
                start ?? nothing.baseAddress,
                text.count,
                begin,
                0,
                data,
                context
            )
        }
        if result == PCRE2_ERROR_NOMATCH { return false }
        guard result >= 0 else { throw RegexError(description: regexErrorText(result)) }
        groupCount = min(regex.groupCount + 1, Int(pcre2_get_ovector_count_8(data)))
        return true
    }

    /// Where a group of the last match stands; `nil` if it took no part.
    package func group(_ number: Int) -> Range<Int>? {
        guard number < groupCount, let vector = pcre2_get_ovector_pointer_8(data) else {
            return nil
        }
        let start = vector[2 * number]
        let end = vector[2 * number + 1]
        // `\K` in a look-ahead can end a match before it starts (pcre2api).
        // A group that took no part is PCRE2_UNSET: all bits set, which is -1 here.
        return start >= 0 && start <= end ? start..<end : nil
    }
}

private func regexErrorText(_ code: CInt) -> String {
    var text = [UInt8](repeating: 0, count: 256)
    let length = pcre2_get_error_message_8(code, &text, text.count)
    guard length > 0 else { return "PCRE2 error \(code)" }
    return String(decoding: text[..<Int(length)], as: UTF8.self)
}
