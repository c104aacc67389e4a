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

-- Widths from what the columns hold, so that text and numbers each get the room they need.
local function widths(tbl)
  local asked, total = {}, 0
  for column, spec in ipairs(tbl.colspecs) do
    local unbroken, length = 3, 3
    each_row(tbl, function(row, in_body)
      if row.cells[column] then
        local word, all = wants(row.cells[column], in_body and spec[1] == pandoc.AlignRight)
        word = in_body and word or word * 1.2 -- a header is bold
        unbroken, length = math.max(unbroken, word), math.max(length, all)
      end
    end)
    asked[column] = math.max(unbroken, math.min(length, 34)) + 3
    total = total + asked[column]
  end
  for column, spec in ipairs(tbl.colspecs) do
    tbl.colspecs[column] = { spec[1], asked[column] / math.max(total, 100) }
  end
  -- A crowded table is set smaller, within what can be read.
  tbl.attributes["typst:text:size"] = ("%.1fpt"):format(math.max(7.6 * math.min(114 / total, 1), 5.8))
  return tbl
end

-- A formula is read aloud as it is written.
local function formula(math)
  if typst then
    local set = pandoc.write(pandoc.Pandoc({ pandoc.Plain({ math }) }), "typst"):gsub("%s+$", "")
    return pandoc.RawInline("typst", ("#[#set math.equation(alt: %s);%s]"):format(quoted(math.text), set))
  end
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
  return doc
end
