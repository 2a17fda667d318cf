import Glibc
import Testing

/// Only the rim touches the outside world; everything else is a value that is told and asked.
struct RimRuleTests {
    private static let rimFolders = ["Linux", "SQLite", "Transport", "Service"]
    private static let outsideImports = ["Glibc", "NIOPosix", "Foundation", "CSQLite", "Dispatch"]

    @Test func `only the rim imports the outside world or awaits`() throws {
        let files = sourceFiles(under: sourcesFolder)
        try #require(files.count > 50, "the sources were not found under \(sourcesFolder)")
        for file in files where !isRim(file) {
            for (number, line) in try lines(of: file).enumerated() {
                #expect(!breaksRule(line), "\(file):\(number + 1): \(line)")
            }
        }
    }

    @Test func `the rule sees what breaks it`() {
        #expect(breaksRule("import Glibc"))
        #expect(breaksRule("internal import NIOPosix"))
        #expect(breaksRule("        let answer = try await connection.send(request)"))
        #expect(breaksRule("    let now = ContinuousClock.now"))
        #expect(breaksRule("    machine.changed(now: .now)"))
        #expect(!breaksRule("/// Callers await the result."))
        #expect(!breaksRule("import NIOCore"))
    }

    @Test func `no module has a type of its own name`() throws {
        for file in sourceFiles(under: sourcesFolder) {
            let module = file.dropFirst(sourcesFolder.count + 1).prefix { $0 != "/" }
            for line in try lines(of: file) {
                let words = line.split(separator: " ")
                guard
                    let kind = words.firstIndex(where: { ["struct", "class", "enum"].contains($0) }
                    ),
                    kind + 1 < words.count
                else { continue }
                let name = words[kind + 1].prefix { $0.isLetter || $0.isNumber }
                #expect(name != module, "\(file): \(line)")
            }
        }
    }

    // MARK: The rule

    private func isRim(_ file: String) -> Bool {
        let folders = file.split(separator: "/").dropLast().map(String.init)
        // The command line is the rim of the process, and imports only what prints.
        return folders.contains { Self.rimFolders.contains($0) }
    }

    private func breaksRule(_ line: String) -> Bool {
        let code = line.prefix(upTo: commentStart(in: line))
        let words = code.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }
        if let position = words.firstIndex(of: "import"), position + 1 < words.count {
            return Self.outsideImports.contains(String(words[position + 1]))
        }
        let clocks = ["Clock.now", ": .now", "(.now", "= .now"]
        return words.contains("await") || clocks.contains { code.contains($0) }
    }

    private func commentStart(in line: String) -> String.Index {
        var previous: Character?
        for index in line.indices {
            if line[index] == "/", previous == "/" { return line.index(before: index) }
            previous = line[index]
        }
        return line.endIndex
    }

    // MARK: Files

    private var sourcesFolder: String {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/") + "/Sources"
    }

    private func sourceFiles(under folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var files: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !name.hasPrefix(".") else { continue }
            let path = folder + "/" + name
            if name.hasSuffix(".swift") {
                files.append(path)
            } else {
                files += sourceFiles(under: path)
            }
        }
        return files
    }

    private func lines(of file: String) throws -> [String] {
        let stream = try #require(fopen(file, "r"), "\(file) cannot be opened")
        defer { fclose(stream) }
        var text: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&block, 1, block.count, stream)
            if count == 0 { break }
            text.append(contentsOf: block[..<count])
        }
        return String(decoding: text, as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        ).map(String.init)
    }
}
