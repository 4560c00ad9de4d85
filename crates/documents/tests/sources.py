"""Writes the sources of the fixtures (flat OpenDocument) into the folder that is its argument."""

import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
NAMES = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{urn}:1.0"' for name, urn in {
    "office": "office", "text": "text", "table": "table", "style": "style", "draw": "drawing", "presentation": "presentation",
}.items()) + ' xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"' \
    ' xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"'

ARTICLES = [
    "第四百六十四条　合同是民事主体之间设立、变更、终止民事法律关系的协议。婚姻、收养、监护等有关身份关系的协议，适用有关该身份关系的法律规定；没有规定的，可以根据其性质参照适用本编规定。",
    "第四百六十五条　依法成立的合同，受法律保护。依法成立的合同，仅对当事人具有法律约束力，但是法律另有规定的除外。",
    "第四百六十六条　当事人对合同条款的理解有争议的，应当依据本法第一百四十二条第一款的规定，确定争议条款的含义。合同文本采用两种以上文字订立并约定具有同等效力的，对各文本使用的词句推定具有相同含义。各文本使用的词句不一致的，应当根据合同的相关条款、性质、目的以及诚信原则等予以解释。",
    "第四百六十七条　本法或者其他法律没有明文规定的合同，适用本编通则的规定，并可以参照适用本编或者其他法律最相类似合同的规定。",
    "第四百六十九条　当事人订立合同，可以采用书面形式、口头形式或者其他形式。书面形式是合同书、信件、电报、电传、传真等可以有形地表现所载内容的形式。",
    "第五百零九条　当事人应当按照约定全面履行自己的义务。当事人应当遵循诚信原则，根据合同的性质、目的和交易习惯履行通知、协助、保密等义务。当事人在履行合同过程中，应当避免浪费资源、污染环境和破坏生态。",
]


def write(name: str, kind: str, styles: str, body: str) -> None:
    mime = "application/vnd.oasis.opendocument." + kind
    (folder / name).write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document {NAMES} office:version="1.2" office:mimetype="{mime}">'
        f"{styles}<office:body>{body}</office:body></office:document>", encoding="utf-8")


FONT = '<style:text-properties fo:font-size="10.5pt" fo:font-family="WenQuanYi Zen Hei" style:font-family-asian="WenQuanYi Zen Hei"' \
    ' style:font-size-asian="10.5pt"/>'
PAGE = '<style:page-layout style:name="page"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm" fo:margin="2.5cm"/>' \
    "</style:page-layout>"
MASTER = '<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="page"/></office:master-styles>'


def style(name: str, size: float, extra: str = "", parent: str = "Standard") -> str:
    return f'<style:style style:name="{name}" style:family="paragraph" style:parent-style-name="{parent}"><style:paragraph-properties {extra}/>' \
        f'<style:text-properties fo:font-size="{size}pt" style:font-size-asian="{size}pt" fo:font-weight="bold" style:font-weight-asian="bold"/></style:style>'


COMMON = f'<office:styles><style:style style:name="Standard" style:family="paragraph">{FONT}</style:style></office:styles>'
HEADS = style("Title1", 20, 'fo:text-align="center"') + style("Head", 14) \
    + '<style:style style:name="Break" style:family="paragraph" style:parent-style-name="Head"><style:paragraph-properties fo:break-before="page"/>' \
    '<style:text-properties fo:font-size="14pt" style:font-size-asian="14pt"/></style:style>' \
    + '<style:style style:name="Cell" style:family="table-cell"><style:table-cell-properties fo:border="0.5pt solid #000000" fo:padding="0.1cm"/></style:style>' \
    + '<style:style style:name="Two" style:family="section"><style:section-properties><style:columns fo:column-count="2" fo:column-gap="0.8cm"/>' \
    "</style:section-properties></style:style>"


def head(text: str, name: str, level: int = 2) -> str:
    return f'<text:h text:style-name="{name}" text:outline-level="{level}">{text}</text:h>'


def para(text: str) -> str:
    return f"<text:p>{text}</text:p>"


def table(rows: list[list[str]]) -> str:
    cells = ["".join(f'<table:table-cell table:style-name="Cell" office:value-type="string">{para(one)}</table:table-cell>' for one in row) for row in rows]
    return f'<table:table table:name="T"><table:table-column table:number-columns-repeated="{len(rows[0])}"/>' \
        + "".join(f"<table:table-row>{row}</table:table-row>" for row in cells) + "</table:table>"


foot = '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>' \
    "<text:p>本合同所称工作日不包括法定节假日。</text:p></text:note-body></text:note>"
remark = "<office:annotation><dc:creator>法务</dc:creator><text:p>请核对付款期限。</text:p></office:annotation>"
contract = head("设备采购合同", "Title1", 1) + para("甲方：北京示例科技有限公司") + para("乙方：上海样本设备有限公司") \
    + head("第一章　标的与价款", "Head") \
    + para("第一条　甲方向乙方采购下列设备，乙方应当在本合同生效之日起三十个工作日" + foot + "内将全部设备运至甲方指定地点，并负责安装、调试以及对甲方操作人员的培训，所需费用已经包含在合同总价之内。") \
    + table([["名称", "型号", "数量", "单价（元）"], ["服务器", "R740", "12", "48,000.00"], ["交换机", "S5735", "4", "9,600.00"],
             ["不间断电源，含电池组及配套机柜", "UPS-10K", "2", "31,500.00"]]) \
    + para("第二条　甲方应当在验收合格后十五日内" + remark + "支付合同总价的百分之九十五，其余百分之五作为质量保证金，在质量保证期届满且无质量争议时无息支付给乙方。") \
    + head("第二章　违约责任", "Break") + para("第三条　任何一方不履行合同义务或者履行合同义务不符合约定的，应当承担继续履行、采取补救措施或者赔偿损失等违约责任；乙方逾期交付的，每逾期一日应当按照逾期部分价款的万分之五向甲方支付违约金。") \
    + para("第四条　因本合同发生的争议，双方应当协商解决；协商不成的，任何一方可以向甲方所在地人民法院提起诉讼。")
automatic = f"<office:automatic-styles>{PAGE}{HEADS}</office:automatic-styles>"
write("contract.fodt", "text", COMMON + automatic + MASTER, f"<office:text>{contract}</office:text>")

columns = head("合同编通则节选", "Title1", 1) + '<text:section text:style-name="Two" text:name="S">' \
    + "".join(para(one) for one in ARTICLES) + "</text:section>"
write("columns.fodt", "text", COMMON + automatic + MASTER, f"<office:text>{columns}</office:text>")


def cell(value) -> str:
    if isinstance(value, (int, float)):
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
    if value.startswith("2025-"):
        return f'<table:table-cell table:style-name="Day" office:value-type="date" office:date-value="{value}"/>'
    return f'<table:table-cell office:value-type="string">{para(value)}</table:table-cell>'


DAYS = '<office:automatic-styles><number:date-style xmlns:number="urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0" style:name="N1">' \
    '<number:year number:style="long"/><number:text>-</number:text><number:month number:style="long"/><number:text>-</number:text>' \
    '<number:day number:style="long"/></number:date-style><style:style style:name="Day" style:family="table-cell" style:data-style-name="N1"/></office:automatic-styles>'
rows = [["姓名", "部门", "入职日期", "工资"], ["张三", "法务部", "2025-03-01", 12500.5], ["李四", "信息中心", "2025-07-15", 9800]]
sheets = f'<table:table table:name="员工">{"".join("<table:table-row>" + "".join(map(cell, row)) + "</table:table-row>" for row in rows)}</table:table>' \
    f'<table:table table:name="备注"><table:table-row>{cell("仅供内部使用")}</table:table-row></table:table>'
write("staff.fods", "spreadsheet", DAYS, f"<office:spreadsheet>{sheets}</office:spreadsheet>")

SLIDE = '<draw:page draw:name="p{n}" draw:master-page-name="Default">' \
    '<draw:frame presentation:class="title" svg:width="20cm" svg:height="3cm" svg:x="1cm" svg:y="1cm"><draw:text-box><text:p>{title}</text:p></draw:text-box></draw:frame>' \
    '<draw:frame presentation:class="outline" svg:width="20cm" svg:height="10cm" svg:x="1cm" svg:y="5cm"><draw:text-box>{body}</draw:text-box></draw:frame>' \
    '<presentation:notes><draw:frame presentation:class="notes" svg:width="15cm" svg:height="10cm" svg:x="2cm" svg:y="14cm"><draw:text-box><text:p>{notes}</text:p></draw:text-box></draw:frame></presentation:notes></draw:page>'
slides = SLIDE.format(n=1, title="合同法入门", body=para("要约与承诺") + para("合同的效力"), notes="先问学生见过哪些合同。") \
    + SLIDE.format(n=2, title="违约责任", body=para("继续履行") + para("赔偿损失"), notes="举逾期交付的例子。")
layout = '<office:automatic-styles><style:page-layout style:name="s"><style:page-layout-properties fo:page-width="28cm" fo:page-height="21cm"/></style:page-layout></office:automatic-styles>' \
    '<office:master-styles><style:master-page style:name="Default" style:page-layout-name="s"/></office:master-styles>'
write("lesson.fodp", "presentation", layout, f"<office:presentation>{slides}</office:presentation>")
