import collections
import pathlib

from absl.testing import absltest, parameterized

from preprocessing.importers import ddi

# All labels of the collection.
_LABELS = """
    melanoma-in-situ mycosis-fungoides squamous-cell-carcinoma-in-situ basal-cell-carcinoma
    squamous-cell-carcinoma melanoma-acral-lentiginous basal-cell-carcinoma-superficial
    squamous-cell-carcinoma-keratoacanthoma subcutaneous-t-cell-lymphoma melanocytic-nevi
    seborrheic-keratosis-irritated focal-acral-hyperkeratosis hyperpigmentation lipoma
    foreign-body-granuloma blue-nevus verruca-vulgaris acrochordon wart epidermal-nevus
    abrasions-ulcerations-and-physical-injuries basal-cell-carcinoma-nodular epidermal-cyst
    acquired-digital-fibrokeratoma seborrheic-keratosis trichilemmoma pyogenic-granuloma
    neurofibroma syringocystadenoma-papilliferum nevus-lipomatosus-superficialis
    benign-keratosis inverted-follicular-keratosis onychomycosis dermatofibroma
    trichofolliculoma lymphocytic-infiltrations prurigo-nodularis kaposi-sarcoma scar
    eccrine-poroma angioleiomyoma keloid hematoma metastatic-carcinoma melanoma angioma
    folliculitis atypical-spindle-cell-nevus-of-reed xanthogranuloma
    eczema-spongiotic-dermatitis arteriovenous-hemangioma acne-cystic verruciform-xanthoma
    molluscum-contagiosum condyloma-accuminatum morphea neuroma dysplastic-nevus
    nodular-melanoma-(nm) actinic-keratosis pigmented-spindle-cell-nevus-of-reed dermatomyositis
    glomangioma cellular-neurothekeoma fibrous-papule graft-vs-host-disease lichenoid-keratosis
    reactive-lymphoid-hyperplasia coccidioidomycosis leukemia-cutis sebaceous-carcinoma
    chondroid-syringoma tinea-pedis solar-lentigo clear-cell-acanthoma abscess
    blastic-plasmacytoid-dendritic-cell-neoplasm acral-melanotic-macule
"""


class DdiTest(parameterized.TestCase):
    def _read(self, *lines):
        folder = pathlib.Path(self.create_tempdir().full_path)
        header = ",DDI_ID,DDI_file,skin_tone,malignant,disease"
        (folder / "ddi_metadata.csv").write_text("\n".join((header, *lines)) + "\n")
        return ddi.FORMAT.read(folder, ddi.FORMAT.mapping())

    def test_a_row_without_the_unnamed_index(self):
        (entry,) = self._read("6,7,000007.png,56,TRUE,melanoma-acral-lentiginous").entries
        row = entry.photograph
        self.assertEqual((row.case_id, row.patient_id, row.image_id), ("7", "7", "000007"))
        self.assertEqual((row.image, row.condition, row.row), ("000007.png", "Melanoma", 2))
        self.assertIsNone(row.fitzpatrick)
        self.assertEqual(
            dict(row.extra),
            {
                "DDI_ID": "7",
                "DDI_file": "000007.png",
                "skin_tone": "56",
                "malignant": "TRUE",
                "disease": "melanoma-acral-lentiginous",
            },
        )

    @parameterized.parameters(("12", (1, 2)), ("34", (3, 4)), ("56", (5, 6)), ("", ()))
    def test_pairs_of_skin_types(self, tone, pair):
        (entry,) = self._read(f"0,1,000001.png,{tone},False,wart").entries
        self.assertEqual(entry.skin_types, pair)

    def test_all_78_labels(self):
        labels = _LABELS.split()
        self.assertLen(set(labels), 78)
        contents = self._read(
            *(f"{n},{n + 1},{n + 1:06d}.png,12,FALSE,{label}" for n, label in enumerate(labels))
        )
        counts = collections.Counter(entry.photograph.condition for entry in contents.entries)
        self.assertEqual(
            counts,
            {
                "Other": 46,
                "Melanocytic Nevus": 5,
                "Melanoma": 4,
                "Basal Cell Carcinoma": 3,
                "SCC/SCCIS": 3,
                "SK/ISK": 3,
                "Scar Condition": 2,
                "Verruca Vulgaris": 2,
                "Acne": 1,
                "Actinic Keratosis": 1,
                "Cyst": 1,
                "Eczema": 1,
                "Folliculitis": 1,
                "Lentigo": 1,
                "Skin Tag": 1,
                "Tinea": 1,
            },
        )
        self.assertEqual(
            [one.reason.split(":")[0] for one in contents.rejections],
            [
                "label 'hyperpigmentation' leaves the condition open",
                "label 'benign-keratosis' leaves the condition open",
            ],
        )

    def test_rows_that_cannot_be_used(self):
        contents = self._read(
            "0,1,000001.png,78,FALSE,wart", "1,2,000002.png,12,FALSE", "2,3,000003.png,12,FALSE,x"
        )
        self.assertEqual(
            [(one.row, one.stage, one.reason.split(";")[0]) for one in contents.rejections],
            [
                (3, "row", "5 cells where the header has 6"),
                (2, "row", "skin_tone: '78' is not one of 12, 34, 56 or empty"),
                (4, "label", "label 'x' is not known"),
            ],
        )


if __name__ == "__main__":
    absltest.main()
