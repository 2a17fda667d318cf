internal import FileTailing
internal import PipelineLanguage

extension LoadedPipeline {
    /// Looking at every file of a large folder would tell no more.
    private static let filesLookedAt = 100

    /// A warning if files are truncated by their rotation, and their copies are not in the globs.
    ///
    /// What is on its way at a crash is made again from its file, where it may not stand any more.
    func truncationWarnings() throws -> [Diagnostic] {
        guard let span = plan.input.globs.first?.span else { return [] }
        let files = try filesMatchingGlobs()
        let known = Set(files)
        for path in files.prefix(Self.filesLookedAt) {
            guard let copy = copyOfTruncated(path, besides: known) else { continue }
            return [
                Diagnostic(
                    .doubtful,
                    "\(path.printable) is copied and truncated when it is rotated, as"
                        + " \(copy.printable) shows",
                    at: span,
                    label: "a crash at that moment could lose what is on its way",
                    help: "run with `--journal bytes`, or let a glob match the copies"
                )
            ]
        }
        return []
    }

    /// What a rotation made of a file that it truncated.
    ///
    /// A rotation that renames begins a new file under the old name, so that what it put away is the
    /// older one. A copy is the younger one.
    private func copyOfTruncated(_ path: String, besides known: Set<String>) -> String? {
        let disk = LinuxDisk()
        guard let slash = path.lastIndex(of: "/"),
            let born = (try? disk.open(path))?.birthTime
        else { return nil }
        let folder = String(path[..<slash])
        let name = String(path[path.index(after: slash)...])
        var rotated: [String] = []
        _ = try? disk.list(folder.isEmpty ? "/" : folder) { entry in
            let other = String(decoding: entry.name, as: UTF8.self)
            if other.isRotated(from: name) { rotated.append(folder + "/" + other) }
        }
        return rotated.sorted().first { copy in
            guard !known.contains(copy), let made = (try? disk.open(copy))?.birthTime else {
                return false
            }
            return made > born
        }
    }
}

extension String {
    /// Whether it is a name as rotations give it: `app.log.1`, `app.log-20261130`.
    ///
    /// What is compressed is always younger than the file it was rotated from, and tells nothing.
    fileprivate func isRotated(from name: String) -> Bool {
        guard hasPrefix(name), utf8.count > name.utf8.count + 1 else { return false }
        let rest = dropFirst(name.count)
        return (rest.first == "." || rest.first == "-")
            && rest.utf8.allSatisfy { (48...57).contains($0) || $0 == 45 || $0 == 46 }
    }
}
