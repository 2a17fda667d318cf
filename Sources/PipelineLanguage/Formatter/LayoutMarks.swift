/// What the parser knows of a text and the formatter needs, by the indices of tokens.
struct LayoutMarks: Sendable {
    /// The precedence of a comma outside of brackets, looser than every operator.
    static let comma = -1
    /// The precedence of `??`.
    static let coalesce = 0

    /// The first token of each entry between braces, and of each item of the file.
    var entries: Set<Int> = []
    /// Tokens that stand right behind the one before: `(` of a call, `[` of an index, `-` in a name.
    var attached: Set<Int> = []
    /// The minus signs of negative values.
    var prefixes: Set<Int> = []
    /// Infix operators, with their precedence and the number of their tokens.
    var operators: [Int: (precedence: Int, count: Int)] = [:]
    /// The opening braces of columns, objects and matches: on one line, commas separate entries.
    var lists: Set<Int> = []
    /// The opening braces of steps.
    var blocks: Set<Int> = []
}
