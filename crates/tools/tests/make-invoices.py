"""Writes the invoices in fixtures/invoices: PDFs with text in the layouts that Chinese VAT invoices have. Every company in them is made
up; the check digits of their codes are computed. Needs nothing but Python; run it in this folder."""

import itertools
import pathlib
import zlib

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "invoices"
LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def credit(first17: str) -> str:
    """With the check digit of GB 32100-2015."""
    total = sum(LETTERS.index(c) * pow(3, i, 31) for i, c in enumerate(first17))
    return first17 + LETTERS[(31 - total % 31) % 31]


BUYER, SELLER = credit("91110108MA01EXAMP"), credit("91310000MA1XAMPLE")


class Page:
    """A page of text and lines; places in points from the upper left corner."""

    def __init__(self, width: float = 612, height: float = 400):
        self.width, self.height, self.ops = width, height, []

    def text(self, x: float, y: float, text: str, size: float = 9) -> None:
        """`y` is the base line."""
        shown = ""
        for narrow, letters in itertools.groupby(text, lambda c: ord(c) < 128):
            code = "".join(f"{ord(c):04X}" for c in letters)
            shown += f" /F{2 if narrow else 1} {size} Tf <{code}> Tj"
        self.ops.append(f"BT 1 0 0 1 {x:.2f} {self.height - y:.2f} Tm{shown} ET")

    def right(self, x: float, y: float, text: str, size: float = 9) -> None:
        self.text(x - width(text, size), y, text, size)

    def upright(self, x: float, y: float, text: str, pitch: float = 11) -> None:
        for at, letter in enumerate(text):
            self.text(x, y + at * pitch, letter)

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.ops.append(f"0.5 w {x0} {self.height - y0} m {x1} {self.height - y1} l S")

    def box(self, x0: float, y0: float, x1: float, y1: float) -> None:
        for a in ((x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1)):
            self.line(*a)


def width(text: str, size: float) -> float:
    return sum(size / 2 if ord(c) < 128 else size for c in text)


TO_UNICODE = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Own def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
%s
endcmap CMapName currentdict /CMap defineresource pop end end"""
# A range of a bfrange keeps its first byte.
RANGES = [b"%d beginbfrange\n%s\nendbfrange" % (64, b"\n".join(b"<%04X> <%04X> <%04X>" % (h << 8, (h << 8) + 255, h << 8) for h in range(at, at + 64)))
          for at in range(0, 256, 64)]


def write(name: str, pages: list[Page]) -> None:
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    def stream(data: bytes) -> bytes:
        packed = zlib.compress(data, 9)
        return b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed)

    catalog, tree = add(b""), add(b"")
    unicode = add(stream(TO_UNICODE % b"\n".join(RANGES)))
    descriptor = add(b"<< /Type /FontDescriptor /FontName /SongTi /Flags 4 /FontBBox [0 -200 1000 900] /ItalicAngle 0 /Ascent 880 /Descent -120 "
                     b"/CapHeight 700 /StemV 80 >>")
    fonts = []
    # Letters of ASCII are half as wide as the others. A font for each: of one that is not embedded, readers believe the usual width alone.
    for width in (1000, 500):
        cid = add(b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /SongTi /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
                  b"/FontDescriptor %d 0 R /DW %d >>" % (descriptor, width))
        fonts.append(add(b"<< /Type /Font /Subtype /Type0 /BaseFont /SongTi /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>"
                         % (cid, unicode)))
    kids = []
    for page in pages:
        content = add(stream("\n".join(page.ops).encode()))
        kids.append(add(b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %g %g] /Resources << /Font << /F1 %d 0 R /F2 %d 0 R >> >> /Contents %d 0 R >>"
                        % (tree, page.width, page.height, *fonts, content)))
    objects[catalog - 1] = b"<< /Type /Catalog /Pages %d 0 R >>" % tree
    objects[tree - 1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(b"%d 0 R" % kid for kid in kids))
    out, places = bytearray(b"%PDF-1.7\n"), []
    for at, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (at, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, catalog, start)
    (FOLDER / name).write_bytes(bytes(out))


def digital_head(page: Page, title: str, number: str, date: str, buyer: list[str], seller: list[str], codes=(BUYER, SELLER)) -> None:
    """The fully digital invoice: buyer and seller beside each other."""
    page.text(230, 40, title, 16)
    page.text(440, 32, "发票号码：" + number)
    page.text(440, 48, "开票日期：" + date)
    page.box(20, 70, 592, 130)
    for x in (36, 306, 322):
        page.line(x, 70, x, 130)
    page.upright(23, 80, "购买方信息")
    page.upright(309, 80, "销售方信息")
    for x, names, code in ((40, buyer, codes[0]), (326, seller, codes[1])):
        page.text(x, 85, "名称：" + names[0])
        for at, more in enumerate(names[1:], 1):
            page.text(x + 27, 85 + 11 * at, more)
        page.text(x, 122, "统一社会信用代码/纳税人识别号：" + code)


COLUMNS = {"项目名称": 30, "规格型号": 160, "单位": 235, "数量": 275, "单价": 330, "金额": 410, "税率/征收率": 460, "税额": 555}
RIGHTS = {"数量": 293, "单价": 348, "金额": 428, "税率/征收率": 500, "税额": 573}


def lines(page: Page, top: float, rows: list[dict], gap: float = 14, columns=COLUMNS, rights=RIGHTS) -> float:
    for name, x in columns.items():
        page.text(x, top, name)
    y = top + gap
    for row in rows:
        names = row["项目名称"].split("|")
        for at, part in enumerate(names):
            page.text(24, y + 11 * at, part)
        for name in ("规格型号", "单位"):
            if name in row:
                x = next(x for column, x in columns.items() if column.replace(" ", "") == name)
                page.text(x - 4, y, row[name])
        for name, x in rights.items():
            key = "税率/征收率" if name == "税率" else name
            if key in row:
                page.right(x, y, row[key])
        y += gap + 11 * (len(names) - 1)
    return y


def foot(page: Page, y: float, amount: str, tax: str, capitals: str, total: str, rights=RIGHTS) -> None:
    page.text(60, y, "合        计")
    page.right(rights["金额"], y, amount)
    page.right(rights["税额"], y, tax)
    page.line(20, y + 5, 592, y + 5)
    page.text(50, y + 20, "价税合计（大写）")
    page.text(190, y + 20, "⊗ " + capitals)
    page.text(430, y + 20, "（小写）")
    page.text(475, y + 20, total)
    page.box(20, y + 30, 592, y + 70)
    page.upright(24, y + 42, "备注")
    page.text(60, y + 90, "开票人：张三")


def row(name, amount, rate, tax, quantity=None, price=None, unit=None, spec=None):
    cells = {"项目名称": name, "金额": amount, "税率/征收率": rate, "税额": tax, "数量": quantity, "单价": price, "单位": unit, "规格型号": spec}
    return {key: value for key, value in cells.items() if value is not None}


# 1. Fully digital, ordinary; the buyer's name is wrapped.
page = Page()
digital_head(page, "电子发票（普通发票）", "24312000000123456789", "2024年05月17日", ["北京示例信息科技与数据服务有限责任公司", "海淀第一分公司"],
             ["上海样本贸易有限公司"])
y = lines(page, 145, [row("*信息技术服务*软件|开发服务费", "9,433.96", "6%", "566.04", "1", "9433.96", "项")])
foot(page, 230, "¥9,433.96", "¥566.04", "壹万圆整", "¥10000.00")
write("digital-ordinary.pdf", [page])

# 2. The special invoice of before: buyer above, seller below, code and number, a discount, price with many places.
OLD = {"货物或应税劳务、服务名称": 30, "规格型号": 160, "单 位": 235, "数 量": 275, "单 价": 330, "金 额": 410, "税率": 475, "税 额": 555}
OLD_RIGHTS = {"数量": 285, "单价": 356, "金额": 432, "税率": 497, "税额": 577}
page = Page()
page.text(220, 38, "北京增值税专用发票", 16)
page.text(30, 38, "1100231130", 14)
page.text(450, 38, "№ 01234567", 14)
page.text(440, 56, "发票代码：1100231130")
page.text(440, 68, "发票号码：01234567")
page.text(300, 68, "开票日期: 2023 年 11 月 08 日")
page.box(20, 75, 592, 130)
for x in (336, 352):
    page.line(x, 75, x, 130)
page.upright(23, 90, "购买方")
page.text(40, 88, "名        称：北京示例科技有限公司")
page.text(40, 100, "纳税人识别号：" + BUYER)
page.text(40, 112, "地 址、电 话：北京市海淀区示例路1号 010-12345678")
page.text(40, 124, "开户行及账号：示例银行海淀支行 0200000000000000001")
page.upright(340, 90, "密码区")
for at in range(4):
    page.text(356, 88 + 12 * at, "03*3187<4/+8490<+95-59+7<243+4*7")
y = lines(page, 145, [
    {**row("*电子计算机*服务器", "96,000.00", "13%", "12,480.00", "2", "48000", "台", "R740 2U"), },
    {**row("*电子计算机*服务器", "-6,000.00", "13%", "-780.00"), },
    {**row("*纸制品*复印纸", "884.96", "13%", "115.04", "50", "17.6991150442", "包", "A4 70g"), },
    {**row("*物流辅助服务*配送费", "1,000.00", "6%", "60.00", "1", "1000.00", "次"), },
], columns=OLD, rights=OLD_RIGHTS)
foot(page, 225, "¥91,884.96", "¥11,875.04", "壹拾万叁仟柒佰陆拾圆整", "¥103760.00", rights={"金额": 432, "税额": 577})
page.upright(23, 330, "销售方")
page.text(40, 330, "名        称：上海样本贸易有限公司")
page.text(40, 342, "纳税人识别号：" + SELLER)
page.text(40, 354, "地 址、电 话：上海市浦东新区样本路2号 021-87654321")
page.text(40, 366, "开户行及账号：样本银行上海分行 3100000000000000002")
write("special.pdf", [page])

# 3. A fully digital one that takes another back.
page = Page()
digital_head(page, "电子发票（增值税专用发票）", "24312000000987654321", "2024年06月03日", ["北京示例科技有限公司"], ["上海样本贸易有限公司"])
lines(page, 145, [row("*信息技术服务*软件开发服务费", "-9,433.96", "6%", "-566.04", "-1", "9433.96", "项")])
foot(page, 230, "¥-9,433.96", "¥-566.04", "（负数）壹万圆整", "¥-10000.00")
page.text(44, 275, "被红冲蓝字数电发票号码：24312000000123456789 红字发票信息确认单编号：31010424061000000001")
write("red.pdf", [page])

# 4. One in which almost nothing is right.
page = Page()
digital_head(page, "电子发票（普通发票）", "23312000000123456700", "2024年05月17日", ["北京示例科技有限公司"], ["上海样本贸易有限公司"],
             (BUYER[:-1] + ("0" if BUYER[-1] != "0" else "1"), SELLER))
lines(page, 145, [row("*餐饮服务*餐费", "300.00", "6%", "18.50", "3", "110.00", "份"), row("*住宿服务*住宿费", "800.00", "6%", "48.00", "2", "400.00", "天")])
foot(page, 230, "¥1,200.00", "¥66.50", "壹仟贰佰陆拾陆圆伍角整", "¥1166.50")
write("wrong.pdf", [page])

# 5. An ordinary electronic one, exempt; the values are printed a little lower than the form, and in the order of a printer's whim.
page = Page()
values = [(500, 34.5, "011002300311"), (500, 46.5, "87654321"), (500, 58.5, "2023-12-31"), (106, 90, "李某某"), (106, 330, "北京样本农产品合作社"),
          (106, 342, credit("93110115MA00FARM1"))]
for x, y, text in values:
    page.text(x, y, text)
for x, y, text in [(440, 32, "发票代码："), (440, 44, "发票号码："), (440, 56, "开票日期："), (40, 88, "名        称："), (40, 100, "纳税人识别号："),
                   (40, 328, "名        称："), (40, 340, "纳税人识别号：")]:
    page.text(x, y, text)
page.text(200, 30, "北京增值税电子普通发票", 16)
lines(page, 145, [row("*蔬菜*白菜", "120.00", "免税", "***", "60", "2", "千克"), row("*蔬菜*土豆", "80.50", "免税", "***", "35", "2.3", "千克")],
      columns=OLD, rights=OLD_RIGHTS)
foot(page, 225, "¥200.50", "***", "贰佰圆零伍角整", "¥200.50", rights={"金额": 432, "税额": 577})
write("exempt.pdf", [page])

# 6. Two pages of one invoice, and another invoice behind it.
pages, rows, sums = [], [], [0, 0]
for at in range(1, 31):
    amount = 10_000 + 37 * at
    tax = (amount * 13 + 50) // 100
    sums[0], sums[1] = sums[0] + amount, sums[1] + tax
    rows.append(row(f"*办公用品*文件夹{at}号", f"{amount / 100:.2f}", "13%", f"{tax / 100:.2f}", "1", f"{amount / 100:.2f}", "个", f"A{at}"))
for at in range(2):
    page = Page(612, 480)
    digital_head(page, "电子发票（普通发票）", "24312000000555555555", "2024年07月01日", ["北京示例科技有限公司"], ["上海样本贸易有限公司"])
    end = lines(page, 145, rows[at * 15:(at + 1) * 15])
    if at == 0:
        page.text(60, end + 4, "小        计")
        page.right(428, end + 4, "¥1,544.40")
    else:
        total = sum(sums)
        assert (sums, total) == ([317205, 41236], 358441), (sums, total)
        foot(page, end + 4, "¥3,172.05", "¥412.36", "叁仟伍佰捌拾肆圆肆角壹分", "¥3584.41")
    pages.append(page)
page = Page()
digital_head(page, "电子发票（普通发票）", "24312000000666666666", "2024年07月02日", ["上海样本贸易有限公司"], ["北京示例科技有限公司"], (SELLER, BUYER))
lines(page, 145, [row("*经营租赁*车辆租赁", "1,000.00", "13%", "130.00", "1", "1000", "次")])
foot(page, 230, "¥1,000.00", "¥130.00", "壹仟壹佰叁拾圆整", "¥1130.00")
write("several.pdf", pages + [page])
