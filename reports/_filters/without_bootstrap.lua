-- What Quarto only does with its Bootstrap theme, which the reports leave out: callouts with a kind and a
-- title in the language of the report, tabs, and a heading above the references. Used by both renderers,
-- before anything else reads the document.

local words = {
  nl = {
    note = "Opmerking", tip = "Tip", warning = "Waarschuwing", important = "Belangrijk", caution = "Opgelet",
    references = "Referenties",
  },
  en = {
    note = "Note", tip = "Tip", warning = "Warning", important = "Important", caution = "Caution",
    references = "References",
  },
}

local function words_of(meta)
  local lang = meta.lang and pandoc.utils.stringify(meta.lang) or "en"
  return words[lang:sub(1, 2)] or words.en
end

local function callout_kind(div)
  for _, class in ipairs(div.classes) do
    local kind = class:match("^callout%-(%a+)$")
    if kind and words.en[kind] then
      return kind
    end
  end
end

-- A title from the attribute, or from a heading that opens the callout (which then leaves the outline).
local function take_title(div)
  local first = div.content[1]
  if first and first.t == "Header" then
    div.content:remove(1)
    return first.content
  end
  local title = div.attributes.title
  return title and pandoc.utils.blocks_to_inlines(pandoc.read(title, "markdown").blocks)
end

-- On paper a callout is a block with a line beside it: a style of its own in Word, a frame in PDF.
local function callout_on_paper(div, line)
  local title = pandoc.Para({ pandoc.Strong(line) })
  if FORMAT:match("typst") then
    local open = '#block(width: 100%, above: 1.5em, below: 1.5em, stroke: (left: 3pt + rgb("#154273")), '
      .. 'fill: rgb("#f3f6f9"), inset: 10pt)['
    div.content:insert(1, title)
    div.content:insert(1, pandoc.RawBlock("typst", open))
    div.content:insert(pandoc.RawBlock("typst", "]"))
    return div.content
  end
  div.content:insert(1, title)
  return pandoc.Div(div.content, { id = div.identifier, ["custom-style"] = "Notice" })
end

-- The kind always stands in the title as a word, so that colour is never the only sign.
local function callout(div, kind, word)
  local title = take_title(div)
  local line = pandoc.Inlines({ pandoc.Span({ pandoc.Str(word) }, { class = "callout-kind" }) })
  if title then
    line:extend({ pandoc.Str(":"), pandoc.Space() })
    line:extend(title)
  end
  if not FORMAT:match("html") then
    return callout_on_paper(div, line)
  end
  div.content:insert(1, pandoc.Div({ pandoc.Plain(line) }, { class = "notice-title" }))
  return pandoc.Div(div.content, pandoc.Attr(div.identifier, { "notice", "notice-" .. kind }, { role = "note" }))
end

-- Tabs read one after the other: their headings are labels, not sections.
local function open_tabs(div)
  div.classes = { "tabs" }
  return div:walk({
    Header = function(header)
      header.classes:extend({ "unnumbered", "unlisted" })
      return header
    end,
  })
end

-- Works are cited, and the report has no place of its own for the list (a div #refs).
local function needs_references(doc)
  local cites, placed = false, doc.meta.bibliography == nil
  doc.blocks:walk({
    Cite = function(cite)
      for _, citation in ipairs(cite.citations) do
        local kind = citation.id:lower():match("^(%a+)%-")
        cites = cites or not (kind == "fig" or kind == "tbl" or kind == "sec")
      end
    end,
    Div = function(div)
      placed = placed or div.identifier == "refs"
    end,
  })
  return cites and not placed
end

function Pandoc(doc)
  local local_words = words_of(doc.meta)
  if needs_references(doc) then
    doc.blocks:insert(pandoc.Header(2, local_words.references, pandoc.Attr("references", { "unnumbered" })))
    doc.blocks:insert(pandoc.Div({}, { id = "refs" }))
  end
  doc.blocks = doc.blocks:walk({
    Div = function(div)
      if div.classes:includes("panel-tabset") then
        return open_tabs(div)
      end
      local kind = callout_kind(div)
      return kind and callout(div, kind, local_words[kind])
    end,
  })
  return doc
end
