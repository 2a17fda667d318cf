internal import PipelineLanguage

extension String {
    /// This text as a terminal may show it, on one line: what controls the terminal is escaped.
    ///
    /// A file may have any name, and whoever may name one must not write into a log or move the
    /// cursor of who looks at a list.
    package var printable: String {
        guard unicodeScalars.contains(where: \.controlsTerminal) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            if scalar.controlsTerminal {
                text += scalar.escaped
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// A text of several lines as a terminal may show it; each character keeps its column, so that
    /// a caret still points at it.
    var printableLines: String {
        guard unicodeScalars.contains(where: \.isNoPartOfLines) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            text.unicodeScalars.append(scalar.isNoPartOfLines ? scalar.picture : scalar)
        }
        return text
    }
}

extension Unicode.Scalar {
    fileprivate var isNoPartOfLines: Bool {
        controlsTerminal && self != "\n" && self != "\t"
    }

    /// A sign that stands for a control character, such as ␛.
    fileprivate var picture: Unicode.Scalar {
        switch value {
        case 0..<0x20: Unicode.Scalar(0x2400 + value) ?? "\u{FFFD}"
        case 0x7F: "\u{2421}"
        default: "\u{FFFD}"
        }
    }

    fileprivate var escaped: String {
        switch self {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: "\\u{\(String(value, radix: 16))}"
        }
    }
}
