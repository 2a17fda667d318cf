internal import PipelineLanguage

/// The command that goes on with an interrupted backfill, as one can paste it into a shell.
///
/// It is what was typed, with what may have come from elsewhere: the name of the job, which may
/// have the date, and the state directory, which may be that of another user or of a variable.
package struct ResumeCommand: Sendable {
    private let words: [String]
    private let job: String?
    private let stateDirectory: String?

    /// - Parameter arguments: the program and its arguments.
    /// - Parameter stateDirectory: where checkpoints are, unless the arguments say it.
    package init(arguments: [String], job: String?, stateDirectory: String?) {
        self.words = arguments
        self.job = job
        self.stateDirectory = stateDirectory
    }

    /// - Parameter job: the name that the job has got.
    package func text(job: String) -> String {
        let end = words.firstIndex(of: "--") ?? words.endIndex
        // To begin again once more would lose what was done since.
        var command = words[..<end].filter { $0 != "--restart" }
        if self.job == nil { command += ["--job", job] }
        if let stateDirectory { command += ["--state-dir", stateDirectory] }
        return (command + words[end...]).map(\.quotedForShell).joined(separator: " ")
    }
}

extension String {
    /// This text as one word of a shell's command.
    fileprivate var quotedForShell: String {
        if unicodeScalars.contains(where: \.controlsTerminal) { return "$'\(escapedForShell)'" }
        let isPlain = !isEmpty && unicodeScalars.allSatisfy(\.isPlainForShell)
        if isPlain { return self }
        return "'"
            + split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#)
            + "'"
    }

    /// Within `$'…'`, as bash, ksh and zsh read it.
    private var escapedForShell: String {
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "'", "\\": text += "\\\(scalar)"
            case _ where scalar.controlsTerminal:
                for byte in String(scalar).utf8 { text += "\\x" + byte.twoHexDigits }
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

extension Unicode.Scalar {
    fileprivate var isPlainForShell: Bool {
        if value >= 0x80 { return properties.isAlphabetic }
        return properties.isAlphabetic || ("0"..."9").contains(self)
            || "_-./:=,+@%".unicodeScalars.contains(self)
    }
}

extension UInt8 {
    fileprivate var twoHexDigits: String {
        let digits = String(self, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }
}
