-- What the built-in renderer does for PDF (by way of Typst) and Word: sections one level up, for the title is no
-- heading there; figures with their alternative text, as PNG for Word; tables as wide as the page.

local typst = FORMAT:match("typst")

local function exists(path)
  local file = io.open(path, "r")
  if file then
    file:close()
  end
  return file ~= nil
end

local function quoted(text)
  return '"' .. text:gsub("\\", "\\\\"):gsub('"', '\\"') .. '"'
end

local function picture(image)
  local alt = image.attributes.alt or pandoc.utils.stringify(image.caption)
  if typst then
    return pandoc.RawInline("typst", ("#image(%s, alt: %s)"):format(quoted(image.src), quoted(alt)))
  end
  local drawn = image.src:gsub("%.svg$", ".png")
  if exists(drawn) then
    image.src = drawn
  end
  image.caption = { pandoc.Str(alt) }
  image.attributes.width = "16.5cm"
  return image
end

-- How many signs a cell takes: what may not be broken (a number with its interval, the longest word of a text),
-- and the whole of it.
local function wants(cell, whole)
  local text = pandoc.utils.stringify(cell.contents)
  local length = utf8.len(text) or #text
  if whole and length <= 26 then
    return length, length
  end
  local longest = 0
  for word in text:gmatch("%S+") do
    longest = math.max(longest, utf8.len(word) or #word)
  end
  return math.min(longest, 40), length
end

local function each_row(tbl, look)
  for _, row in ipairs(tbl.head.rows) do
    look(row, false)
  end
  for _, body in ipairs(tbl.bodies) do
    for _, row in ipairs(body.body) do
      look(row, true)
    end
  end
end

-- Signs of the smallest table text that fit beside each other on a page.
local ROOM = typst and 114 or 100

-- Widths from what the columns hold: each gets what may not be broken, and what is left of the page goes to those that
-- would like more.
local function widths(tbl)
  local least, more, needed, wanted = {}, {}, 0, 0
  for column, spec in ipairs(tbl.colspecs) do
    local unbroken, length = 3, 3
    each_row(tbl, function(row, in_body)
      if row.cells[column] and row.cells[column].col_span == 1 then
        local word, all = wants(row.cells[column], in_body and spec[1] == pandoc.AlignRight)
        word = in_body and word or word * 1.25 -- a header is bold
        unbroken, length = math.max(unbroken, word), math.max(length, all)
      end
    end)
    least[column] = unbroken + 3
    more[column] = math.max(math.min(length, 34) - unbroken, 0)
    needed, wanted = needed + least[column], wanted + more[column]
  end
  local share = wanted > 0 and math.min(math.max(ROOM - needed, 0) / wanted, 1) or 0
  local total = needed + share * wanted
  for column, spec in ipairs(tbl.colspecs) do
    tbl.colspecs[column] = { spec[1], (least[column] + share * more[column]) / math.max(total, ROOM) }
  end
  -- A crowded table is set smaller, within what can be read.
  tbl.attributes["typst:text:size"] = ("%.1fpt"):format(math.max(7.6 * math.min(ROOM / total, 1), 5.8))
  return tbl
end

-- A formula is read aloud as it is written.
local function formula(math)
  if typst then
    local set = pandoc.write(pandoc.Pandoc({ pandoc.Plain({ math }) }), "typst"):gsub("%s+$", "")
    return pandoc.RawInline("typst", ("#[#set math.equation(alt: %s);%s]"):format(quoted(math.text), set))
  end
end

-- In Word the text of a tight list would be as small as that of a table.
local function as_paragraphs(list)
  list.content = list.content:map(function(item)
    return pandoc.Blocks(item):map(function(block)
      return block.t == "Plain" and pandoc.Para(block.content) or block
    end)
  end)
  return list
end

-- Word leaves no room between a table and the text below it.
local SPACE = '<w:p><w:pPr><w:spacing w:before="0" w:after="0" w:line="200" w:lineRule="exact"/></w:pPr></w:p>'

-- Word and its likes fill a field of contents only when they are asked to: links to the sections are there at once.
local function contents(doc)
  local lines = pandoc.Blocks({})
  for _, block in ipairs(doc.blocks) do
    if block.t == "Header" and block.level == 1 then
      lines:insert(pandoc.Para({ pandoc.Link(block.content, "#" .. block.identifier) }))
    end
  end
  local title = pandoc.Para(doc.meta["toc-title"] or {})
  return {
    pandoc.Div({ title }, { ["custom-style"] = "TOC Heading" }),
    pandoc.Div(lines, { ["custom-style"] = "Compact" }),
    pandoc.RawBlock("openxml", SPACE),
  }
end

local function for_word(blocks)
  blocks = blocks:walk({ BulletList = as_paragraphs, OrderedList = as_paragraphs })
  return blocks:walk({
    Table = function(tbl)
      return { tbl, pandoc.RawBlock("openxml", SPACE) }
    end,
  })
end

function Pandoc(doc)
  doc.blocks = doc.blocks:walk({
    Image = picture,
    Math = formula,
    Table = widths,
    Header = function(header)
      header.level = math.max(header.level - 1, 1)
      return header
    end,
  })
  if not typst then
    doc.blocks = for_word(doc.blocks)
    if doc.meta.toc then
      doc.blocks = pandoc.Blocks(contents(doc)) .. doc.blocks
      doc.meta.toc = false
    end
  end
  return doc
end
