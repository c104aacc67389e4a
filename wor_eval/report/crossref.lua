-- Numbers figures, tables and sections and resolves references to them, as Quarto does, for the built-in
-- renderer. The words come from the metadata: crossref.fig-title, crossref.tbl-title, crossref.sec-prefix.
-- What cannot be resolved is written to stderr, one line per problem; render.py reads those lines.

local PROBLEM = "report-problem: "
local problems = pandoc.List()
local numbers = {} -- identifier -> number as printed
local counts = { fig = 0, tbl = 0 }
local sections = { 0, 0, 0, 0, 0, 0 }
local words = {}

local function kind_of(identifier)
  local kind = identifier:match("^(%a+)%-")
  return (kind == "fig" or kind == "tbl" or kind == "sec") and kind or nil
end

local function is_float(identifier)
  local kind = kind_of(identifier)
  return kind == "fig" or kind == "tbl"
end

local function register(identifier, number)
  if numbers[identifier] then
    problems:insert("the label " .. identifier .. " is used twice")
  end
  numbers[identifier] = number
end

-- Sections -------------------------------------------------------------------------------------------------

local function number_header(header)
  if header.level == 1 then
    problems:insert("a heading of level 1 (# …): the title is the only one; start sections at ##")
  end
  if header.classes:includes("unnumbered") then
    return nil
  end
  local level = header.level - 1
  sections[level] = (sections[level] or 0) + 1
  for deeper = level + 1, #sections do
    sections[deeper] = 0
  end
  local number = table.concat(sections, ".", 1, level)
  if kind_of(header.identifier) == "sec" then
    register(header.identifier, number)
  end
  if words.number_sections then
    header.content:insert(1, pandoc.Span({ pandoc.Str(number) }, { class = "header-section-number" }))
    header.content:insert(2, pandoc.Space())
  end
  return header
end

-- Figures and tables ---------------------------------------------------------------------------------------

local function caption_with_number(identifier, caption)
  local kind = kind_of(identifier)
  counts[kind] = counts[kind] + 1
  register(identifier, tostring(counts[kind]))
  local label = words[kind .. "_title"] .. "\u{a0}" .. counts[kind] .. ":"
  local inlines = pandoc.Inlines({ pandoc.Span({ pandoc.Str(label) }, { class = "caption-label" }), pandoc.Space() })
  inlines:extend(caption)
  return inlines
end

local function figure(identifier, content, caption)
  return pandoc.Figure(content, { pandoc.Plain(caption) }, pandoc.Attr(identifier, { "quarto-float-fig" }))
end

-- On paper the table carries its caption itself.
local function table_on_paper(identifier, content, caption)
  return pandoc.Blocks(content):walk({
    Table = function(tbl)
      tbl.caption = { long = { pandoc.Plain(caption) } }
      tbl.identifier = identifier
      return tbl
    end,
  })
end

-- The caption stands above the table and outside its scrolling frame, in a figure, as in Quarto's pages.
local function captioned_table(identifier, content, caption)
  if not FORMAT:match("html") then
    return table_on_paper(identifier, content, caption)
  end
  local caption_id = identifier .. "-caption"
  content = content:walk({
    Table = function(tbl)
      tbl.attributes["aria-labelledby"] = caption_id
      return tbl
    end,
  })
  local blocks = pandoc.Blocks({
    pandoc.RawBlock("html", ('<figure id="%s" class="quarto-float-tbl">'):format(identifier)),
    pandoc.RawBlock("html", ('<figcaption id="%s">'):format(caption_id)),
    pandoc.Plain(caption),
    pandoc.RawBlock("html", "</figcaption>"),
  })
  blocks:extend(content)
  blocks:insert(pandoc.RawBlock("html", "</figure>"))
  return pandoc.Div(blocks, { class = "quarto-float" })
end

local function float(identifier, content, caption)
  if #caption == 0 then
    problems:insert(identifier .. " has no caption")
  end
  local numbered = caption_with_number(identifier, caption)
  return (kind_of(identifier) == "fig" and figure or captioned_table)(identifier, content, numbered)
end

-- A Table carries its own caption; the caption moves to the figure around it.
local function float_table(tbl, identifier)
  local caption = pandoc.utils.blocks_to_inlines(tbl.caption.long)
  tbl.caption = { long = {}, short = nil }
  tbl.identifier = ""
  return float(identifier, pandoc.Blocks({ tbl }), caption)
end

local function first_table(blocks)
  local found
  blocks:walk({
    Table = function(tbl)
      found = found or tbl
    end,
  })
  return found
end

-- In a labelled div the last paragraph is the caption; a table inside may bring its own.
local function float_div(div)
  local last = div.content[#div.content]
  if last and last.t == "Para" and #div.content > 1 then
    div.content:remove(#div.content)
    return float(div.identifier, div.content, last.content)
  end
  local tbl = first_table(div.content)
  if tbl and #tbl.caption.long > 0 then
    return float_table(tbl, div.identifier)
  end
  return float(div.identifier, div.content, {})
end

local number_everything = {
  traverse = "topdown",
  Header = number_header,
  Div = function(div)
    if is_float(div.identifier) then
      return float_div(div), false
    end
  end,
  Figure = function(fig)
    if is_float(fig.identifier) then
      local caption = pandoc.utils.blocks_to_inlines(fig.caption.long)
      return float(fig.identifier, fig.content, caption), false
    end
  end,
  Table = function(tbl)
    if is_float(tbl.identifier) then
      return float_table(tbl, tbl.identifier), false
    end
  end,
}

-- References -----------------------------------------------------------------------------------------------

local function link_to(citation)
  local identifier = citation.id:sub(1, 1):lower() .. citation.id:sub(2)
  local number = numbers[identifier]
  if not number then
    problems:insert("the reference @" .. citation.id .. " points at nothing")
    return pandoc.Inlines({})
  end
  local text = pandoc.Inlines({})
  if #citation.prefix > 0 then
    text:extend(citation.prefix)
    text:insert(pandoc.Str("\u{a0}"))
  elseif citation.mode ~= "SuppressAuthor" then
    local kind = kind_of(identifier)
    text:insert(pandoc.Str((words[kind .. "_title"] or words.sec_prefix) .. "\u{a0}"))
  end
  text:insert(pandoc.Str(number))
  return pandoc.Inlines({ pandoc.Link(text, "#" .. identifier, "", { class = "quarto-xref" }) })
end

local function resolve(cite)
  local internal = cite.citations:filter(function(citation)
    return kind_of(citation.id:lower()) ~= nil
  end)
  if #internal == 0 then
    return nil
  elseif #internal < #cite.citations then
    problems:insert("@" .. internal[1].id .. " and a citation are read as one: put a word or a comma between them")
  end
  local text = pandoc.Inlines({})
  for index, citation in ipairs(internal) do
    if index > 1 then
      text:extend({ pandoc.Str(","), pandoc.Space() })
    end
    text:extend(link_to(citation))
  end
  return text
end

local function read_words(meta)
  local function word(name)
    return pandoc.utils.stringify(meta.crossref[name])
  end
  words = {
    fig_title = word("fig-title"),
    tbl_title = word("tbl-title"),
    sec_prefix = word("sec-prefix"),
    number_sections = meta["number-sections"] == true,
  }
end

function Pandoc(doc)
  read_words(doc.meta)
  doc.blocks = doc.blocks:walk(number_everything):walk({ Cite = resolve })
  if #problems > 0 then
    for _, problem in ipairs(problems) do
      io.stderr:write(PROBLEM .. problem .. "\n")
    end
    error("the report has problems")
  end
  return doc
end
