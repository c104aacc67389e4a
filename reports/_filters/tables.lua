-- Tables that read well aloud and on a narrow screen: header cells with a scope, and a frame that scrolls, which the
-- keyboard reaches. Figures on a line of their own get such a frame too.
-- Used by both renderers, after captions and numbers are in place.

local function set_scope(rows, first, last, scope)
  for _, row in ipairs(rows) do
    for column = first, math.min(last, #row.cells) do
      row.cells[column].attr.attributes.scope = scope
    end
  end
end

-- A pipe table cannot say that its first column names the rows; left-aligned text beside other columns does.
local function names_its_rows(tbl)
  local align = tbl.colspecs[1] and tbl.colspecs[1][1]
  return #tbl.colspecs > 1 and #tbl.head.rows > 0 and (align == pandoc.AlignDefault or align == pandoc.AlignLeft)
end

local function empty(cell)
  return #pandoc.utils.stringify(cell.contents) == 0
end

-- A row whose first cell is strong and whose others are empty names the rows below it: it gets the whole width.
local function span_groups(tbl)
  for _, body in ipairs(tbl.bodies) do
    for _, row in ipairs(body.body) do
      local first = row.cells[1] and row.cells[1].contents[1]
      local strong = first and first.content and #first.content == 1 and first.content[1].t == "Strong"
      local others = pandoc.List(row.cells):filter(function(cell) return not empty(cell) end)
      if strong and #row.cells > 1 and #others == 1 then
        row.cells[1].col_span = #row.cells
        row.cells = { row.cells[1] }
      end
    end
  end
end

function Table(tbl)
  span_groups(tbl)
  if not FORMAT:match("html") then
    return tbl
  end
  set_scope(tbl.head.rows, 1, #tbl.colspecs, "col")
  for _, body in ipairs(tbl.bodies) do
    if body.row_head_columns == 0 and names_its_rows(tbl) then
      body.row_head_columns = 1
    end
    set_scope(body.body, 1, body.row_head_columns, "row")
  end
  -- Widths from the number of dashes in the source would squeeze a column for no reason.
  tbl.colspecs = tbl.colspecs:map(function(spec) return { spec[1], nil } end)
  return pandoc.Div({ tbl }, pandoc.Attr("", { "table-scroll" }, { tabindex = "0" }))
end

local function framed(block)
  if FORMAT:match("html") and #block.content == 1 and block.content[1].t == "Image" then
    return pandoc.Div({ pandoc.Plain(block.content) }, pandoc.Attr("", { "figure-scroll" }, { tabindex = "0" }))
  end
end

Para, Plain = framed, framed
